package clients

import (
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestPythonSyntax reads what users run with the grammar of the oldest Python that it is for.
func TestPythonSyntax(t *testing.T) {
	t.Parallel()
	const program = "import ast, glob, sys\n" +
		"for path in glob.glob('../../clients/python/*.py') + glob.glob('../../examples/orchestrator/*.py'):\n" +
		"    print(path); ast.parse(open(path).read(), path, feature_version=(3, 9))"
	output, err := exec.CommandContext(t.Context(), python(t), "-c", program).CombinedOutput()
	require.NoError(t, err, "%s", output)
	require.Contains(t, string(output), "finalizer_liveness.py")
	require.Contains(t, string(output), "orchestrator.py")
}

// typed is a caller of each call, as a program that is checked strictly.
const typed = `
from finalizer_liveness import Answer, AsyncClient, AsyncOwnership, Client, Ownership, clear, is_owned, mark, own

def finalize(client: Client) -> bool:
    with own(1914, run=2207, stage="deploy-staging", task="ORCH-111") as o:
        o.step("merge-gate re-test", budget=1800)
        answer: Answer = o.check(hold=30, timeout=2)
        left: float = answer.remaining()
        if o.revoked.is_set() or not answer or left < 1:
            return False
    kept: Ownership = client.mark("a", run="b", key="c")
    kept.adopt()
    clear(1914)
    return is_owned(1914) and mark(1, run=2).granted

async def finalize_too(client: AsyncClient) -> str:
    async with client.own(1914, run=2207) as o:
        answer: Answer = await o.check()
    kept: AsyncOwnership = await client.mark(1, run=2)
    await client.clear(1)
    return kept.reason + answer.state
`

// TestPythonTypes has mypy check the client, the example and a caller.
func TestPythonTypes(t *testing.T) {
	if os.Getenv("WATCHDOG_TEST_ALL") == "" {
		t.Skip("set WATCHDOG_TEST_ALL=1 to run it")
	}
	t.Parallel()
	folder := t.TempDir()
	require.NoError(t, os.WriteFile(folder+"/typed.py", []byte(typed), 0o600))
	for _, file := range []string{"../../clients/python/finalizer_liveness.py", folder + "/typed.py", "../../examples/orchestrator/orchestrator.py"} {
		cmd := exec.CommandContext(t.Context(), "mypy", "--strict", "--python-version", "3.9", "--cache-dir", folder, file)
		cmd.Env = append(os.Environ(), "MYPYPATH=../../clients/python:../../examples/orchestrator")
		output, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", output)
	}
	wrong := folder + "/wrong.py"
	require.NoError(t, os.WriteFile(wrong, []byte("from finalizer_liveness import Client\nClient().clear()\n"), 0o600))
	cmd := exec.CommandContext(t.Context(), "mypy", "--strict", "--cache-dir", folder, wrong)
	cmd.Env = append(os.Environ(), "MYPYPATH=../../clients/python")
	output, err := cmd.CombinedOutput()
	require.Error(t, err, "%s", output)
	require.Contains(t, string(output), "Missing positional argument")
}
