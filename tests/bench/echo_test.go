package bench

import (
	"fmt"
	"net"
)

// beEcho serves a socket by sending back what it reads: what a server cannot do without.
func beEcho(args []string) error {
	l, err := net.Listen("unix", args[0])
	if err != nil {
		return err
	}
	fmt.Print(ready)
	for {
		conn, err := l.Accept()
		if err != nil {
			return err
		}
		go func() {
			buf := make([]byte, 16<<10)
			for {
				n, err := conn.Read(buf)
				if err != nil {
					return
				}
				if _, err := conn.Write(buf[:n]); err != nil {
					return
				}
			}
		}()
	}
}
