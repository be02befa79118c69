// SPDX-License-Identifier: Apache-2.0

package proc

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/openledger/openledger/gpu/ref"
	"github.com/openledger/openledger/internal/fx"
	"github.com/openledger/openledger/poa/program"
)

// Whatever bytes come, a worker answers or ends; it never panics.
func FuzzServe(f *testing.F) {
	node := program.Node{Op: fx.OpNeg, Attrs: []uint64{4}, In: []uint64{0}, Shape: []uint64{4}}
	var all bytes.Buffer
	for _, q := range []request{
		{Kind: kindInfo}, {Kind: kindAlloc, Type: uint8(fx.F32), Buf: part{Len: 4}},
		{Kind: kindUpload, Buf: part{Buf: 1, Len: 4}}, {Kind: kindUpload, Buf: part{Buf: 1, Off: 1, Len: 2}},
		{Kind: kindRun, Runs: []launch{{Node: node.Encode(), In: []part{{Buf: 1, Len: 4}}, Out: part{Buf: 1, Len: 4}}, {}}},
		{Kind: kindDownload, Buf: part{Buf: 1, Off: 3, Len: 1}}, {Kind: kindDownload, Buf: part{Buf: 1, Off: 4, Len: 1}},
		{Kind: kindSync}, {Kind: kindFree, Buf: part{Buf: 1}}, {Kind: kindClose}, {Kind: 99},
	} {
		var one bytes.Buffer
		if send(&one, q) != nil || send(&all, q) != nil {
			f.Fatal(q)
		}
		f.Add(one.Bytes())
	}
	f.Add(all.Bytes())
	f.Add(binary.LittleEndian.AppendUint32(nil, maxMessage+1))
	f.Fuzz(func(t *testing.T, b []byte) {
		var out bytes.Buffer
		_ = Serve(bytes.NewReader(b), &out, make([]byte, 256), ref.New(1<<16))
		for r := bytes.NewReader(out.Bytes()); r.Len() > 0; {
			var p reply
			if err := receive(r, &p); err != nil {
				t.Fatalf("a reply that the near side cannot read: %v", err)
			}
		}
	})
}
