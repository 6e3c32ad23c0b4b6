package web

import "net/http"

// Handler answers every path of the watchdog. It starts no goroutine and keeps an answer of /queue for a
// second at most.
func Handler(c Config) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /queue", newQueue(c))
	mux.Handle("GET /metrics", c.Metrics)
	mux.HandleFunc("GET /healthz", healthz)
	mux.Handle("GET /readyz", readyz(c))
	mux.HandleFunc("GET /{$}", landing)
	mux.HandleFunc("GET /page/{file}", pageFile)
	return secured(mux)
}

// contentPolicy lets a page load its own files and nothing else: an id or a step that is HTML stays text
// even if the page had forgotten to treat it so.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; " +
	"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

func secured(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Content-Security-Policy", contentPolicy)
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Referrer-Policy", "no-referrer")
		header.Set("Cross-Origin-Resource-Policy", "same-origin")
		header.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}
