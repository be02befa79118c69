// SPDX-License-Identifier: Apache-2.0

package fx

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"testing"
)

var update = flag.Bool("update", false, "write docs/spec/vectors/fx.json instead of comparing")

const vectorFile = "../../docs/spec/vectors/fx.json"

// hexBits is a binary32 in the vectors: eight hex digits.
type hexBits float32

func (h hexBits) MarshalText() ([]byte, error) {
	return fmt.Appendf(nil, "%08x", Bits(float32(h))), nil
}

func (h *hexBits) UnmarshalText(b []byte) error {
	n, err := strconv.ParseUint(string(b), 16, 32)
	*h = hexBits(f(uint32(n)))
	return err
}

type vectors struct {
	About     string                 `json:"about"`
	Clauses   []string               `json:"clauses"`
	FMA       [][4]hexBits           `json:"fma"`
	Functions map[string][][2]string `json:"functions"`
	Red       []redVector            `json:"red"`
	Philox    []philoxVector         `json:"philox"`
	Streams   []streamVector         `json:"streams"`
	Perm      []permVector           `json:"perm"`
	Double    doubleVector           `json:"double"`
}

// doubleVector holds fx/1d: binary64 in hex.
type doubleVector struct {
	Exp    [][2]string   `json:"exp"`
	Log    [][2]string   `json:"log"`
	Chains []chainVector `json:"chains"`
}

type chainVector struct {
	X     []string `json:"x"`
	Y     []string `json:"y"`
	Dot   string   `json:"dot"`
	Dist2 string   `json:"dist2"`
}

func hex64(x float64) string { return fmt.Sprintf("%016x", math.Float64bits(x)) }

func makeDouble() doubleVector {
	var v doubleVector
	special := []uint64{0, 1 << 63, 1, 0x000fffffffffffff, 0x3ff0000000000000, 0xbff0000000000000, 0x7fefffffffffffff, 0x7ff0000000000000,
		0xfff0000000000000, NaN64Bits, 0x40862e42fefa39ef, 0xc0874910d52d3052, 0x3fe6a09e667f3bcd, 0x3ff0000000000001}
	for _, u := range special {
		v.Exp = append(v.Exp, [2]string{hex64(g(u)), hex64(Exp64(g(u)))})
		v.Log = append(v.Log, [2]string{hex64(g(u)), hex64(Log64(g(u)))})
	}
	next := words(64)
	for range 200 {
		u, w := next(), next()
		v.Exp = append(v.Exp, [2]string{hex64(dexpIn(u)), hex64(Exp64(dexpIn(u)))})
		near := g(w&(1<<52-1) | (1015+w>>52%16)<<52) // 2⁻⁸ to 2⁷
		v.Log = append(v.Log, [2]string{hex64(near), hex64(Log64(near))})
	}
	for n := range 5 {
		var x, y []float64
		var c chainVector
		for range 3 * n {
			p, q := g(next()&0x800fffffffffffff|0x3ff0<<48), g(next()&0x800fffffffffffff|0x3ff0<<48)
			x, y, c.X, c.Y = append(x, p), append(y, q), append(c.X, hex64(p)), append(c.Y, hex64(q))
		}
		if n == 0 {
			c.X, c.Y = []string{}, []string{}
		}
		c.Dot, c.Dist2 = hex64(Dot64(x, y)), hex64(Dist2(x, y))
		v.Chains = append(v.Chains, c)
	}
	return v
}

type redVector struct {
	Count  int     `json:"count"`
	Seed   uint64  `json:"seed"` // values are u01 0 … count−1 of stream 0, purpose 6, minus ½
	Sum    hexBits `json:"sum"`
	SumSq  hexBits `json:"sumsq"`
	Max    hexBits `json:"max"`
	Chain  hexBits `json:"chain"`
	Argmax int     `json:"argmax"`
}

type philoxVector struct {
	Key [2]uint32 `json:"key"`
	Ctr [4]uint32 `json:"counter"`
	Out [4]uint32 `json:"output"`
}

type streamVector struct {
	Seed    string    `json:"seed"` // decimal
	Stream  uint32    `json:"stream"`
	Purpose uint32    `json:"purpose"`
	U01     []hexBits `json:"u01"`
	Normal  []hexBits `json:"normal"`
	Sign    []hexBits `json:"sign"`
}

type permVector struct {
	Seed  string   `json:"seed"` // decimal
	Epoch uint32   `json:"epoch"`
	N     string   `json:"n"` // decimal
	First []string `json:"first"`
}

func makeVectors() vectors {
	v := vectors{
		About: "Arithmetic fx/1, bits of binary32 in hex. fma: x, y, z, x*y+z with one rounding. functions: argument and value. " +
			"Every input has a value, so there are no invalid cases; any NaN results in 7fc00000.",
		Clauses:   []string{"FX-01", "FX-02", "FX-04", "FX-05", "FX-06", "FX-08"},
		Functions: map[string][][2]string{},
	}
	special := []uint32{0, 0x80000000, 1, 0x807fffff, 0x00800000, 0x3f800000, 0xbf800000, 0x3f800001, 0x7f7fffff, 0x7f800000, 0xff800000, 0x7fc00000}
	for i, x := range special {
		for j, y := range special {
			z := special[(5*i+7*j)%len(special)]
			v.FMA = append(v.FMA, fmaVector(f(x), f(y), f(z)))
		}
	}
	g := triples{state: 2024}
	for range 400 {
		v.FMA = append(v.FMA, fmaVector(g.next()))
	}
	for _, c := range functions {
		for _, x := range special {
			v.Functions[c.name] = append(v.Functions[c.name], [2]string{fmt.Sprintf("%08x", x), fmt.Sprintf("%08x", Bits(c.f(f(x))))})
		}
		s := Stream{Seed: 8, Purpose: PurposeBench}
		for i := range uint64(60) {
			// a random value between 2⁻⁸ and 2⁷ in size, where the functions bend
			x := s.Word(i)&0x807fffff | (119+s.Word(i+1000)%16)<<23
			v.Functions[c.name] = append(v.Functions[c.name], [2]string{fmt.Sprintf("%08x", x), fmt.Sprintf("%08x", Bits(c.f(f(x))))})
		}
	}
	for i, n := range []int{0, 1, 31, 33, 100, 4096, 4097} {
		x := make([]float32, n)
		Stream{Seed: uint64(i), Purpose: PurposeBench}.FillU01(x)
		for j := range x {
			x[j] -= 0.5
		}
		v.Red = append(v.Red, redVector{n, uint64(i), hexBits(RedSum(x)), hexBits(RedSumSq(x)), hexBits(RedMax(x)), hexBits(Sum(x)), Argmax(x)})
	}
	for i := range uint32(4) {
		p := philoxVector{Key: [2]uint32{i * 0x9e3779b9, ^i}, Ctr: [4]uint32{i, i << 8, i << 16, i << 24}}
		p.Out = Philox(p.Key, p.Ctr)
		v.Philox = append(v.Philox, p)
	}
	for _, s := range []Stream{{0, 0, PurposeInit}, {0xfedcba9876543210, 3, PurposeSketch}} {
		w := streamVector{Seed: strconv.FormatUint(s.Seed, 10), Stream: s.Stream, Purpose: uint32(s.Purpose)}
		for i := range uint64(9) {
			w.U01, w.Normal, w.Sign = append(w.U01, hexBits(s.U01(i))), append(w.Normal, hexBits(s.Normal(i))), append(w.Sign, hexBits(s.Sign(i)))
		}
		v.Streams = append(v.Streams, w)
	}
	for _, c := range []struct {
		seed, n uint64
		e       uint32
	}{{0, 1, 0}, {1, 7, 0}, {1, 7, 1}, {2024, 1797, 0}, {0xfedcba9876543210, 1 << 33, 9}} {
		p := permVector{Seed: strconv.FormatUint(c.seed, 10), Epoch: c.e, N: strconv.FormatUint(c.n, 10)}
		for x := range min(c.n, 12) {
			p.First = append(p.First, strconv.FormatUint(Perm(c.seed, c.e, c.n, x), 10))
		}
		v.Perm = append(v.Perm, p)
	}
	v.Double = makeDouble()
	return v
}

// innermost finds arrays that hold no other array; they get one line each.
var innermost = regexp.MustCompile(`\[[^\[\]]*\]`)

func fmaVector(x, y, z float32) [4]hexBits {
	return [4]hexBits{hexBits(x), hexBits(y), hexBits(z), hexBits(FMA32(x, y, z))}
}

func TestFX09VectorsAreUnchanged(t *testing.T) {
	got, err := json.MarshalIndent(makeVectors(), "", " ")
	if err != nil {
		t.Fatal(err)
	}
	got = append(innermost.ReplaceAllFunc(got, func(b []byte) []byte {
		return bytes.Join(bytes.Fields(b), nil)
	}), '\n')
	if *update {
		if err := os.WriteFile(vectorFile, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(vectorFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		a, b := bytes.Split(got, []byte("\n")), bytes.Split(want, []byte("\n"))
		for i := range min(len(a), len(b)) {
			if !bytes.Equal(a[i], b[i]) {
				t.Fatalf("line %d of %s is %s, this machine computes %s", i+1, vectorFile, b[i], a[i])
			}
		}
		t.Fatalf("%s has %d lines, want %d", vectorFile, len(b), len(a))
	}
}

// TestFX09VectorsAgreeWithPython recomputes the vectors from the text of the
// clauses with exact fractions.
func TestFX09VectorsAgreeWithPython(t *testing.T) {
	out, err := exec.Command("python3", "../../docs/spec/vectors/fx_check.py", vectorFile).CombinedOutput()
	if err != nil {
		t.Fatalf("tests need python3: %v\n%s", err, out)
	}
	t.Logf("%s", out)
}
