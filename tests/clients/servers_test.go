package clients

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/finalizer-watchdog/watchdog/tests/program"
)

// forked owns job 1914 in the process that imports it, and for each request what its path names, in a thread of its
// own. It answers with its process.
const forked = `
import os, threading
import finalizer_liveness as f
f.mark(1914, run=2207)

def app(environ, start):
    job, marked = int(environ["PATH_INFO"][1:]), threading.Event()
    def finalize():
        with f.own(job, run=job + 293):
            marked.set()
            threading.Event().wait()
    threading.Thread(target=finalize, daemon=True).start()
    marked.wait()
    start("200 OK", [])
    return [str(os.getpid()).encode()]
`

// evented is the same for a server with an event loop.
const evented = `
import asyncio, os
import finalizer_liveness as f
f.mark(1914, run=2207)
finalizing = set()

async def finalize(job, marked):
    async with f.AsyncClient().own(job, run=job + 293):
        marked.set()
        await asyncio.Event().wait()

async def app(scope, receive, send):
    assert scope["type"] == "http"
    marked = asyncio.Event()
    finalizing.add(asyncio.create_task(finalize(int(scope["path"][1:]), marked)))
    await marked.wait()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(os.getpid()).encode()})
`

// TestServers owns jobs in the processes of Python's web servers, and kills one of them.
func TestServers(t *testing.T) {
	if os.Getenv("WATCHDOG_TEST_ALL") == "" {
		t.Skip("set WATCHDOG_TEST_ALL=1 to run it")
	}
	t.Parallel()
	for name, s := range map[string]struct {
		app, module string
		flags       []string
	}{
		"gunicorn":              {forked, "gunicorn", []string{"--workers", "2", "--bind", "unix:http"}},
		"gunicorn with preload": {forked, "gunicorn", []string{"--workers", "2", "--preload", "--bind", "unix:http"}},
		"uvicorn":               {evented, "uvicorn", []string{"--uds", "http", "--lifespan", "off"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newDocumented(t)
			w.write(t, "shown.py", s.app)
			arguments := append([]string{"-m", s.module, "shown:app"}, s.flags...)
			server := program.Start(t, w.command(t, withModule(t, s.module), arguments...))
			program.Eventually(t, "it serves", func() bool {
				_, err := os.Stat(filepath.Join(w.folder, "http"))
				return err == nil
			})
			preloaded := strings.Contains(name, "preload")
			owners := make(map[int64]int)
			for job := int64(1); job <= 4; job++ {
				w.Finished(t, job, "deploy-staging")
				owners[job] = w.request(t, job)
				program.Eventually(t, "it is owned", func() bool { return w.world.owned(t, job) == "connected" })
				assert.Equal(t, owners[job], w.watchdog.Queue(t, job).Owner.PID, "by the process that marked")
			}
			if preloaded {
				assert.Equal(t, server.PID, w.watchdog.Queue(t, documentedJob).Owner.PID)
			}
			require.NoError(t, syscall.Kill(owners[1], syscall.SIGKILL))
			for job, owner := range owners {
				if owner == owners[1] {
					program.Eventually(t, "it is recovered", func() bool { return w.status(t, job) == "queued" })
					continue
				}
				assert.Equal(t, "connected", w.world.owned(t, job))
			}
			if preloaded {
				assert.Equal(t, "connected", w.world.owned(t, documentedJob), "the master lives")
			}
			assert.NotContains(t, server.Output(), "Traceback")
		})
	}
}

// request has the server own a job, and returns the process that does.
func (w *documented) request(t *testing.T, job int64) (pid int) {
	t.Helper()
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(w.folder, "http"))
	}
	transport := &http.Transport{DialContext: dial, DisableKeepAlives: true}
	response, err := (&http.Client{Transport: transport}).Get(fmt.Sprintf("http://server/%d", job))
	require.NoError(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	pid, err = strconv.Atoi(string(body))
	require.NoError(t, err, "%s", body)
	return pid
}
