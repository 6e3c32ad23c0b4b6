// Package program gives tests the built watchdog as a process, peers of it that can be killed and stopped, and
// an orchestrator's database of either kind.
//
// A test binary asks for it in its TestMain, which also makes package pg ready:
//
//	func TestMain(m *testing.M) { os.Exit(program.Run(m)) }
//
// The watchdog is built once for each test binary, as it is released: without cgo. A peer is the test binary
// itself, started again.
package program
