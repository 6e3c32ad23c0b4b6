package program

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Resident is the process's resident memory, in MiB.
func (p *Process) Resident(t testing.TB) float64 {
	t.Helper()
	_, rest, _ := strings.Cut(p.tells(t, "status"), "VmRSS:")
	var kib float64
	if _, err := fmt.Sscan(rest, &kib); err != nil {
		t.Fatalf("read its memory: %v", err)
	}
	return kib / 1024
}

// CPU is the CPU time that the process has taken, in the kernel's ticks of 10 ms.
func (p *Process) CPU(t testing.TB) time.Duration {
	t.Helper()
	_, rest, _ := strings.Cut(p.tells(t, "stat"), ") ")
	var ticks time.Duration
	for _, field := range strings.Fields(rest)[11:13] { // utime and stime
		n, err := strconv.Atoi(field)
		if err != nil {
			t.Fatalf("read its CPU time: %v", err)
		}
		ticks += time.Duration(n)
	}
	return ticks * 10 * time.Millisecond
}

// tells is a file that the kernel has of the process.
func (p *Process) tells(t testing.TB, file string) string {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", p.PID, file))
	if err != nil {
		t.Fatalf("read what the kernel tells of it: %v", err)
	}
	return string(text)
}
