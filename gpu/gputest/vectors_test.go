// SPDX-License-Identifier: Apache-2.0

package gputest

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"testing"

	"github.com/openledger/openledger/gpu"
	"github.com/openledger/openledger/internal/fx"
)

var update = flag.Bool("update", false, "write docs/spec/vectors/ops.json instead of comparing")

const vectorFile = "../../docs/spec/vectors/ops.json"

type vector struct {
	Op     string     `json:"op"`
	Number uint16     `json:"number"`
	Attrs  []string   `json:"attrs"` // decimal
	In     [][]string `json:"in"`    // elements in hex, in the form of fx.Read
	Out    []string   `json:"out"`
}

type vectors struct {
	About   string   `json:"about"`
	Clauses []string `json:"clauses"`
	Cases   []vector `json:"cases"`
}

// makeVectors draws small cases of every operation.
func makeVectors(t *testing.T) vectors {
	v := vectors{
		About:   "Operations: attributes in decimal, every element of inputs and output as 32 bits in hex (int8 sign-extended, 16-bit types in the low half).",
		Clauses: []string{"OP-02", "OP-04", "OP-05", "FX-07", "BEN-02"},
	}
	for _, op := range fx.Ops() {
		for n := range 5 {
			c := NewCase(op, 2026, n, 40)
			form, err := fx.NewForm(op, c.Node.Attrs)
			if err != nil {
				t.Fatal(err)
			}
			x := vector{Op: op.String(), Number: uint16(op), Attrs: []string{}, In: [][]string{}}
			for _, a := range c.Node.Attrs {
				x.Attrs = append(x.Attrs, fmt.Sprint(a))
			}
			for k, a := range c.Sig.In {
				in := make([]string, a.Len)
				for i := range in {
					in[i] = fmt.Sprintf("%08x", gpu.Load(a.Type, c.In[k], uint64(i)))
				}
				x.In = append(x.In, in)
			}
			read := func(k int, i uint64) uint32 { return gpu.Load(c.Sig.In[k].Type, c.In[k], i) }
			for i := range c.Sig.Out.Len {
				x.Out = append(x.Out, fmt.Sprintf("%08x", form.Elem(i, read)))
			}
			v.Cases = append(v.Cases, x)
		}
	}
	return v
}

// innermost finds arrays that hold no other array; they get one line each.
var innermost = regexp.MustCompile(`\[[^\[\]]*\]`)

func TestOP02VectorsAreUnchanged(t *testing.T) {
	got, err := json.MarshalIndent(makeVectors(t), "", " ")
	if err != nil {
		t.Fatal(err)
	}
	got = append(innermost.ReplaceAllFunc(got, func(b []byte) []byte { return bytes.Join(bytes.Fields(b), nil) }), '\n')
	if *update {
		if err := os.WriteFile(vectorFile, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(vectorFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s does not hold what this machine computes", vectorFile)
	}
}

// TestOP02VectorsAgreeWithPython recomputes every operation with exact fractions.
func TestOP02VectorsAgreeWithPython(t *testing.T) {
	out, err := exec.Command("python3", "../../docs/spec/vectors/ops_check.py", vectorFile).CombinedOutput()
	if err != nil {
		t.Fatalf("tests need python3: %v\n%s", err, out)
	}
	t.Logf("%s", out)
}
