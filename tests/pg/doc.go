// Package pg gives tests a real PostgreSQL, started from the installed binaries in a temporary folder.
//
// A test binary asks for it in its TestMain:
//
//	func TestMain(m *testing.M) { os.Exit(pg.Run(m)) }
//
// and a test takes a fresh database of the one shared server with New, or a server of its own with Start
// when it means to stop or to break it. The shared server starts with the first New and ends with Run.
// Beside it stand PgBouncer (StartBouncer) and a TCP proxy that can delay, fall silent and reset (NewProxy).
//
// Nothing here is ever skipped: where the binaries are missing the test fails with the command that
// installs them. PostgreSQL refuses to run as root, so root's tests run it as postgres or nobody.
package pg
