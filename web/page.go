package web

import (
	"embed"
	"net/http"
)

//go:embed page
var pageFiles embed.FS

// landing serves the page for people. It names its files, and /queue, relative to itself, so that it also
// works under a proxy's prefix.
func landing(w http.ResponseWriter, r *http.Request) {
	http.ServeFileFS(w, r, pageFiles, "page/index.html")
}

func pageFile(w http.ResponseWriter, r *http.Request) {
	http.ServeFileFS(w, r, pageFiles, "page/"+r.PathValue("file"))
}
