package clients

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/finalizer-watchdog/watchdog/tests/program"
)

// TestIntegratingPage runs what docs/integrating.md shows.
func TestIntegratingPage(t *testing.T) {
	t.Parallel()
	shown := map[string]func(t *testing.T, code string){
		"Go 1 go":              runGo,
		"Python 1 python":      runPython,
		"Python 2 python":      runAsyncPython,
		"Node 1 js":            runNode,
		"A command 1 indented": runHold,
		"A command 2 indented": runCron,
		"A command 3 indented": runStep,
		"By hand 1 indented":   runConversation,
		"By hand 2 bash":       runByHand,

		"What it costs 1 indented": runCosts,
	}
	counts := make(map[string]int)
	ran := 0
	for _, b := range blocks(t, "docs/integrating.md") {
		counts[b.heading]++
		language := b.language
		if language == "" {
			language = "indented"
		}
		name := fmt.Sprintf("%s %d %s", b.heading, counts[b.heading], language)
		test, ok := shown[name]
		if !assert.True(t, ok, "nothing runs %s", name) {
			continue
		}
		ran++
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, b.text)
		})
	}
	assert.Equal(t, len(shown), ran)
}

// TestExamplePage runs the commands of the example's page.
func TestExamplePage(t *testing.T) {
	if os.Getenv("WATCHDOG_TEST_ALL") == "" {
		t.Skip("set WATCHDOG_TEST_ALL=1 to run it")
	}
	t.Parallel()
	w := newDocumented(t)
	commands := strings.ReplaceAll(blocks(t, "examples/orchestrator/README.md")[0].text, "/tmp/", w.folder+"/")
	example, err := filepath.Abs(exampleTests)
	require.NoError(t, err)
	cmd := w.command(t, "bash", "-ec", commands)
	cmd.Dir = example
	cmd.Env = append(cmd.Env, "WATCHDOG_LISTEN=127.0.0.1:0", "WATCHDOG_SOCKET="+filepath.Join(w.folder, "heartbeat.sock"))
	p := program.Start(t, cmd)
	program.Eventually(t, "the job is finalized", func() bool { return strings.Contains(p.Output(), `"event": "finalizing"`) })
	program.Eventually(t, "the job is closed", func() bool { return strings.Contains(p.Output(), `"event": "closed"`) })
	assert.Contains(t, p.Output(), `"stage": "deploy", "status": "done"`)
}

func runGo(t *testing.T, code string) {
	readme := blocks(t, "README.md")
	var other string
	for _, b := range readme {
		if b.language == "go" {
			other = b.text
		}
	}
	require.NotEmpty(t, other)
	source := fmt.Sprintf(goProgram, code, other)
	source = strings.ReplaceAll(source, "client.Options{", `client.Options{Socket: os.Getenv("WATCHDOG_SOCKET"), Timeout: time.Minute, `)
	w := newDocumented(t)
	w.write(t, "main.go", source)
	// The program is of this module, as if it lay in a folder here.
	here, err := filepath.Abs("shown/main.go")
	require.NoError(t, err)
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{here: filepath.Join(w.folder, "main.go")}})
	require.NoError(t, err)
	w.write(t, "overlay.json", string(overlay))
	cmd := w.command(t, "go", "run", "-overlay", filepath.Join(w.folder, "overlay.json"), "./shown")
	cmd.Dir = ""
	assert.Equal(t, "merged\nmerged\n", w.ran(t, cmd))
	w.counted(t, `finalizer_releases_total{how="clear"}`, 2)
}

const goProgram = `package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/finalizer-watchdog/watchdog/client"
)

func retest(context.Context) error { return nil }

func merge(context.Context) error {
	fmt.Println("merged")
	return nil
}

func first(ctx context.Context) error {
%s
}

func second(ctx context.Context) error {
%s
}

func main() {
	if err := errors.Join(first(context.Background()), second(context.Background())); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}
`

// patient gives Python's calls more time than they have by default: the machine may be busy.
const patient = "import finalizer_liveness as f\nf._HELLO_WITHIN = 60\nf._default['client'] = f.Client(timeout=60)\n"

func runPython(t *testing.T, code string) {
	w := newDocumented(t)
	body := "job_id, run_id, retest, merge = 1914, 2207, lambda: None, lambda: print('merged')\n" + code
	program := patient + "def shown():\n" + indent(body) + "shown()\n"
	assert.Equal(t, "merged\n", w.ran(t, w.command(t, python(t), "-c", program)))
	w.counted(t, `finalizer_releases_total{how="clear"}`, 1)
}

func runAsyncPython(t *testing.T, code string) {
	w := newDocumented(t)
	program := patient + "import asyncio\njob_id, run_id = 1914, 2207\nasync def retest(): pass\nasync def merge(): print('merged')\n" +
		"async def shown():\n" + indent(code) + "asyncio.run(shown())\n"
	assert.Equal(t, "merged\n", w.ran(t, w.command(t, python(t), "-c", program)))
	w.counted(t, `finalizer_releases_total{how="clear"}`, 1)
}

func runNode(t *testing.T, code string) {
	w := newDocumented(t)
	pkg, err := filepath.Abs("../../clients/node")
	require.NoError(t, err)
	require.NoError(t, os.Mkdir(filepath.Join(w.folder, "node_modules"), 0o700))
	require.NoError(t, os.Symlink(pkg, filepath.Join(w.folder, "node_modules", "finalizer-liveness")))
	const imported = "import { own } from 'finalizer-liveness';\n"
	require.Contains(t, code, imported)
	w.write(t, "shown.mjs", strings.Replace(code, imported, patientNode, 1))
	assert.Equal(t, "merged\n", w.ran(t, w.command(t, "node", "shown.mjs")))
	w.counted(t, `finalizer_releases_total{how="clear"}`, 1)
}

// patientNode is patient for Node, and what else the page takes for granted.
const patientNode = `import { Client } from 'finalizer-liveness';
const liveness = new Client({ timeout: 60_000 });
const own = (...args) => liveness.own(...args);
const [jobId, runId, retest, merge] = [1914, 2207, async () => {}, async () => console.log('merged')];
`

func indent(code string) string {
	return "    " + strings.ReplaceAll(strings.TrimRight(code, "\n"), "\n", "\n    ") + "\n"
}

// finalize is a command that finalizes once it may, and says that it does.
const finalize = "#!/bin/sh\necho finalizing \"$@\"\nuntil [ -e go ]; do sleep 0.05; done\necho finalized\n"

func runHold(t *testing.T, code string) {
	w := newDocumented(t)
	w.write(t, "finalize.sh", finalize)
	p := program.Start(t, w.command(t, "bash", "-c", code))
	program.Eventually(t, "hold owns the job", func() bool { return w.owned(t) })
	w.write(t, "go", "")
	assert.Equal(t, 0, p.Wait(t, program.Patience))
	assert.Equal(t, "finalizing 1914\nfinalized\n", p.Output())
	w.counted(t, `finalizer_releases_total{how="clear"}`, 1)
}

func runCron(t *testing.T, code string) {
	w := newDocumented(t)
	w.Finished(t, documentedJob+1, "deploy-staging")
	w.write(t, "finalize.sh", finalize)
	w.write(t, "finished", "#!/bin/sh\necho 1914 2207\necho 1915 2208\n")
	w.write(t, "go", "")
	cmd := w.command(t, "bash", "-c", `PATH="$PATH:."`+"\n"+code)
	assert.Equal(t, "finalizing 1914\nfinalized\nfinalizing 1915\nfinalized\n", w.ran(t, cmd))
	w.counted(t, `finalizer_releases_total{how="clear"}`, 2)
}

func runStep(t *testing.T, code string) {
	w := newDocumented(t)
	run, ok := strings.CutPrefix(strings.TrimSpace(code), "- run: ")
	require.True(t, ok, code)
	w.write(t, "make", "#!/bin/sh\necho make \"$@\"\n")
	step := `PATH="$PWD:$PATH"` + "\n" + run
	assert.Equal(t, "make deploy\n", w.ran(t, w.command(t, "bash", "-ec", step)))
	w.counted(t, `finalizer_releases_total{how="clear"}`, 1)
	w.watchdog.Signal(t, syscall.SIGKILL)
	assert.Equal(t, -1, w.watchdog.Wait(t, program.Patience))
	output, err := w.command(t, "bash", "-ec", step).CombinedOutput()
	assert.Error(t, err)
	assert.NotContains(t, string(output), "make deploy")
}

// runConversation says the lines that are requests, and hears those between them, but for the token.
func runConversation(t *testing.T, code string) {
	w := newDocumented(t)
	lines := strings.Split(strings.TrimSpace(code), "\n")
	command, ok := strings.CutPrefix(lines[0], "$ ")
	require.True(t, ok, code)
	cmd := w.command(t, "bash", "-c", strings.ReplaceAll(command, ownSocket, w.watchdog.Socket))
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	read, write := io.Pipe()
	cmd.Stdout = write
	program.Start(t, cmd)
	replies := bufio.NewReader(read)
	token := strings.NewReplacer()
	for _, line := range lines[1:] {
		if strings.Contains(line, `"op"`) {
			_, err := io.WriteString(in, token.Replace(line)+"\n")
			require.NoError(t, err)
			continue
		}
		reply, err := replies.ReadString('\n')
		require.NoError(t, err)
		var shown, given struct{ Token json.Number }
		require.NoError(t, json.Unmarshal([]byte(line), &shown))
		require.NoError(t, json.Unmarshal([]byte(reply), &given))
		if shown.Token != "" {
			token = strings.NewReplacer(shown.Token.String(), given.Token.String())
		}
		assert.Equal(t, token.Replace(line), strings.TrimSpace(reply))
	}
	require.NoError(t, in.Close())
	w.counted(t, `finalizer_releases_total{how="clear"}`, 1)
}

func runByHand(t *testing.T, code string) {
	w := newDocumented(t)
	w.write(t, "finalize.sh", finalize)
	p := program.Start(t, w.command(t, "bash", "-c", code))
	program.Eventually(t, "socat owns the job", func() bool { return w.owned(t) })
	w.write(t, "go", "")
	assert.Equal(t, 0, p.Wait(t, program.Patience), "%s", p.Output())
	assert.Contains(t, p.Output(), "finalizing 1914\nfinalized\n")
	program.Eventually(t, "who closed nothing counts as dead", func() bool { return w.reaps(documentedJob) == "owner-died" })
}

// runCosts runs the commands that measure.
func runCosts(t *testing.T, code string) {
	if os.Getenv("WATCHDOG_TEST_ALL") == "" {
		t.Skip("set WATCHDOG_TEST_ALL=1 to run it")
	}
	output := runIn(t, "../..", "bash", "-ec", code)
	for _, figure := range []string{"mark-p50-ms", "further-KiB", "| hanging | clear |", "descriptors; each", "each further job"} {
		assert.Contains(t, output, figure)
	}
	t.Log(output)
}
