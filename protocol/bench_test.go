package protocol_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/finalizer-watchdog/watchdog/protocol"
)

func BenchmarkParse(b *testing.B) {
	for name, line := range map[string]string{
		"beat":  `{"op":"beat","id":17}`,
		"check": `{"op":"check","id":17,"job":1914,"token":42,"hold_s":30}`,
		"mark": `{"op":"mark","id":17,"job":1914,"run":2207,"key":"t-7","task":"ORCH-111","stage":"deploy-staging",` +
			`"role":"finalizer"}`,
		"most-keys": mostKeys(),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			var p protocol.Parser
			text := []byte(line)
			for b.Loop() {
				if _, err := p.Parse(text); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// mostKeys is the line that costs the most to search for a key that stands there twice.
func mostKeys() string {
	var line strings.Builder
	line.WriteString(`{"op":"beat"`)
	for i := 0; line.Len() < protocol.MaxLine-10; i++ {
		fmt.Fprintf(&line, `,"%03x":0`, i)
	}
	return line.String() + "}"
}
