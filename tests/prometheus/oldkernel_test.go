package prometheus

import (
	"os"
	"runtime"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/finalizer-watchdog/watchdog/tests/program"
)

// oldKernelVariable names the program that this test binary becomes, under a filter that answers as a kernel before
// 6.5 does.
const oldKernelVariable = "ON_AN_OLD_KERNEL"

func TestMain(m *testing.M) {
	if path := os.Getenv(oldKernelVariable); path != "" {
		os.Exit(onAnOldKernel(path))
	}
	os.Exit(program.Run(m))
}

func onAnOldKernel(path string) int {
	const (
		number   = 0  // offsets into struct seccomp_data
		argument = 32 // the third, its low half
		refuse   = unix.SECCOMP_RET_ERRNO
	)
	load := func(at uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: at}
	}
	equal := func(k uint32, yes, no uint8) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: k, Jt: yes, Jf: no}
	}
	answer := func(k uint32) unix.SockFilter { return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: k} }
	filter := []unix.SockFilter{
		load(number),
		equal(unix.SYS_PIDFD_OPEN, 4, 0),
		equal(unix.SYS_GETSOCKOPT, 0, 2),
		load(argument),
		equal(unix.SO_PEERPIDFD, 2, 0),
		answer(unix.SECCOMP_RET_ALLOW),
		answer(refuse | uint32(unix.EPERM)),
		answer(refuse | uint32(unix.ENOPROTOOPT)),
	}
	runtime.LockOSThread()
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return 1
	}
	if err := unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&program)), 0, 0); err != nil {
		return 1
	}
	var env []string
	for _, pair := range os.Environ() {
		if !strings.HasPrefix(pair, oldKernelVariable) {
			env = append(env, pair)
		}
	}
	_ = unix.Exec(path, append([]string{path}, os.Args[1:]...), env)
	return 1
}
