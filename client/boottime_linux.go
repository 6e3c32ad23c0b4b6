package client

import (
	"syscall"
	"time"
	"unsafe"
)

// bootClock returns a reader of CLOCK_BOOTTIME: the time since the machine started, suspension included, which
// no one can set.
func bootClock() func() time.Duration {
	const clockBoottime = 7
	return func() time.Duration {
		var now syscall.Timespec
		syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, clockBoottime, uintptr(unsafe.Pointer(&now)), 0)
		return time.Duration(now.Nano())
	}
}
