// Package container runs a program as a container runtime does: with processes and mounts of its own, another
// folder as a read-only root, another user and groups, without capabilities or the way to any.
//
// What the kernel gives to containers it gives here, without a runtime or a registry: the test binary is started
// again in new namespaces, arranges them, and becomes the program. A test binary asks for it in its TestMain, before
// anything else:
//
//	func TestMain(m *testing.M) {
//		container.Enter() // does not return inside a container
//		os.Exit(program.Run(m))
//	}
//
// It takes root. The seccomp profile of a runtime is not there.
package container
