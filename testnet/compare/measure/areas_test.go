// SPDX-License-Identifier: Apache-2.0

package measure

import (
	"slices"
	"testing"
	"time"
)

const traces = `File: openledger
Type: cpu
-----------+-------------------------------------------------------
      80ms   internal/runtime/syscall/linux.Syscall6
             crypto/tls.(*Conn).Write
             github.com/libp2p/go-yamux/v5.(*Session).send
-----------+-------------------------------------------------------
      10ms   a.b (inline)
             github.com/openledger/openledger/ledger/tx.Verify
             github.com/openledger/openledger/node.(*Node).admit
             net/http.(*conn).serve
-----------+-------------------------------------------------------
      1.20s   strange.Thing
-----------+-------------------------------------------------------
      20ms   github.com/openledger/openledger/ledger/tx.Decode
`

func TestAProfileIsAddedUpByArea(t *testing.T) {
	got, err := Areas(traces)
	want := []Area{{"other", 1200 * time.Millisecond}, {"transport", 80 * time.Millisecond}, {"admission: signature, decoding", 30 * time.Millisecond}}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v", got, err)
	}
	for _, bad := range []string{"", "File: x\n", "-----------+---\n  lots  a.b\n"} {
		if got, err := Areas(bad); err == nil {
			t.Errorf("%q is read as %v", bad, got)
		}
	}
}
