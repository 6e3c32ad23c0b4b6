package web

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"time"

	toolkit "github.com/prometheus/exporter-toolkit/web"
)

// What one client may take of the server's time. A part of an answer of /queue may have 1 MB for a slow line.
const (
	headerTimeout  = 5 * time.Second
	readTimeout    = 10 * time.Second
	writeTimeout   = time.Minute
	idleTimeout    = 2 * time.Minute
	maxHeaderBytes = 16 << 10

	// drainTimeout is how long requests under way may go on after the end was asked for. The whole program
	// has five seconds to end.
	drainTimeout = 2 * time.Second
)

// Server serves a handler on a listener that was bound before.
type Server struct {
	Listener   net.Listener // Run closes it
	Handler    http.Handler
	ConfigFile string // exporter-toolkit's file for TLS and basic auth; empty: neither
	Logger     *slog.Logger
}

// CheckConfigFile reports, in one line, what is wrong with an exporter-toolkit file, the certificates that it names
// included. An empty path is right. The values that YAML would quote are left out: one may be a password.
func CheckConfigFile(path string) error {
	err := toolkit.Validate(path)
	if err == nil {
		return nil
	}
	text := regexp.MustCompile("`[^`]*`").ReplaceAllString(err.Error(), "`…`")
	return errors.New(strings.Join(strings.Fields(text), " "))
}

// Run serves until ctx ends, and returns nil then, or until serving fails. Requests under way have two
// seconds to finish and are then cut off; when Run returns, none is left.
func (s *Server) Run(ctx context.Context) error {
	defer s.Listener.Close()
	life, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()

	requests := &requests{next: s.Handler}
	server := &http.Server{
		Handler:           requests,
		BaseContext:       func(net.Listener) context.Context { return life },
		ErrorLog:          slog.NewLogLogger(s.Logger.Handler(), slog.LevelDebug),
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
	}
	served := make(chan error, 1)
	go func() {
		served <- toolkit.Serve(s.Listener, server, &toolkit.FlagConfig{WebConfigFile: &s.ConfigFile}, s.Logger)
	}()

	var err error
	select {
	case err = <-served:
	case <-ctx.Done():
		drain(life, server)
		err = <-served
	}
	cut()
	_ = server.Close()
	requests.wait()
	if ctx.Err() != nil && errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serve http: %w", err)
}

// drain turns new connections away and waits for the requests under way.
func drain(ctx context.Context, server *http.Server) {
	ctx, cancel := context.WithTimeout(ctx, drainTimeout)
	defer cancel()
	_ = server.Shutdown(ctx)
}

// requests knows which requests are under way; http.Server forgets those that it cuts off.
type requests struct {
	next http.Handler
	gate sync.RWMutex // held for reading by every request under way
	over bool         // guarded by gate
}

func (h *requests) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.gate.RLock()
	defer h.gate.RUnlock()
	if !h.over {
		h.next.ServeHTTP(w, r)
	}
}

// wait returns when no request is under way; those that come later do nothing.
func (h *requests) wait() {
	h.gate.Lock()
	defer h.gate.Unlock()
	h.over = true
}
