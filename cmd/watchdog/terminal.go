package main

import (
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// unlimited is the width of what is no terminal: a row stays on one line there, so that it can be searched.
const unlimited = 0

// terminalWidth returns how many columns w has.
func terminalWidth(w io.Writer) int {
	f, ok := w.(*os.File)
	if !ok {
		return unlimited
	}
	size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return unlimited
	}
	return int(size.Col)
}
