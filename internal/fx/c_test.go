// SPDX-License-Identifier: Apache-2.0

package fx

import (
	"encoding/binary"
	"flag"
	"fmt"
	"io"
	"math"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"
)

// exhaustive compares all 2³² inputs of each function and 4·10⁸ triples with C
// instead of a slice (make fx-exhaustive).
var (
	exhaustive = flag.Bool("exhaustive", false, "compare every input with C")
	only       = flag.String("only", "", "with -exhaustive: one name of testdata/fx.c")
	slice      = flag.String("slice", "0/1", "with -exhaustive: part i of n, as i/n")
)

// buildC compiles the reference text for this machine, with its fused multiply-add.
func buildC(t *testing.T) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "fx")
	out, err := exec.Command("cc", "-O2", "-std=c11", "-ffp-contract=off", "-march=native", "-o", bin, "testdata/fx.c", "-lm").CombinedOutput()
	if err != nil {
		t.Fatalf("tests need a C compiler named cc: %v\n%s", err, out)
	}
	return bin
}

// runC returns what the program prints.
func runC(t *testing.T, bin string, args ...string) []byte {
	t.Helper()
	cmd := exec.Command(bin, args...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(out)
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	return b
}

func text(n uint64) string { return strconv.FormatUint(n, 10) }

// digest is that of testdata/fx.c: one number for a block of results.
type digest uint64

func (d *digest) add(u uint32) { *d = (*d ^ digest(u)) * 0x100000001b3 }

// triples is the generator of testdata/fx.c.
type triples struct {
	state uint64
	i     uint64
}

func (g *triples) word() uint64 {
	g.state += 0x9e3779b97f4a7c15
	z := g.state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

func (g *triples) next() (x, y, z float32) {
	u, v := g.word(), g.word()
	a, b, c, d := uint32(u), uint32(u>>32), uint32(v), uint32(v>>32)
	e := d%81 - 40
	kind := g.i % 6
	g.i++
	switch kind {
	case 0:
	case 1:
		c = (Bits(Mul(f(a), f(b))) ^ 0x80000000) + c&7 - 3
	case 2:
		c = Bits(Mul(f(a), f(b))) + (c%60-30)<<23
	case 3:
		a, b = a&0xfffff000, b&0xfff00000
		if d&1 == 1 {
			c &= 0x80ffffff
			b = 0x3f000000 - a&0x7f800000 + d>>18<<9
		} else {
			c = Bits(Mul(f(a), f(b))) + (c%60-30)<<23 + d>>30
		}
	case 4:
		a = Bits(FromInt(int32(a&0x3fffff|0x400001))) + e<<23
		b = Bits(FromInt(int32(b&3+3))) ^ b&0x80000000
		c = c&0x807fffff | (127+e-29-d%30)<<23
	default:
		sign, low := b&0x80000000, b&1 == 1
		k := a&7 + 1
		a, b = (0x3f800000+k)^sign, 0x3f800000-2*k
		c = c&0x807fffff | (127+e)<<23
		if low {
			c, a, b = c&0x807fffff, a-75<<23, b-75<<23
		} else {
			b += (e - 24) << 23
		}
	}
	return f(a), f(b), f(c)
}

const (
	blockC = 1 << 20 // results behind one digest
	partC  = 1 << 25 // results of one run of the C program
)

// part is one run of the C program and what Go computes for the same inputs.
type part struct {
	name string
	from uint64 // first input, or seed of the triples
	n    uint64
	step uint64
}

// functionsC are those of testdata/fx.c on 32 bits.
var functionsC = []struct {
	name string
	f    func(uint32) uint32
}{
	{"exp", onBits(Exp)}, {"log", onBits(Log)}, {"tanh", onBits(Tanh)}, {"sigmoid", onBits(Sigmoid)}, {"silu", onBits(Silu)},
	{"rsqrt", onBits(Rsqrt)}, {"sqrt", onBits(Sqrt)},
	{"fromint", func(u uint32) uint32 { return Bits(FromInt(int32(u))) }},
	{"rni", func(u uint32) uint32 {
		if x := f(u); Abs(x) < 1<<22 {
			return uint32(Rni(x)) & 0x7fffff
		}
		return 0
	}},
	{"f16", func(u uint32) uint32 { return Bits(FromF16(uint16(Bits(f(u))))) }},
}

func onBits(fn func(float32) float32) func(uint32) uint32 {
	return func(u uint32) uint32 { return Bits(fn(math.Float32frombits(u))) }
}

// compare runs a part in both languages; where a block's digests differ it asks
// C for every value and names the first wrong input.
func (p part) compare(t *testing.T, bin string) {
	fn, args := p.inGo(), []string{p.name, text(p.from), text(p.n), text(p.step)}
	digests := []string{text(min(blockC, p.n))}
	if p.name == "fma" {
		args = args[:3]
	}
	want := runC(t, bin, append(args, digests...)...)
	var in, wrong uint64
	for k := uint64(0); k < p.n; k += min(blockC, p.n) {
		var d digest
		for range min(blockC, p.n) {
			d.add(fn(in))
			in++
		}
		if uint64(d) != binary.NativeEndian.Uint64(want[8*(k/min(blockC, p.n)):]) {
			wrong = in
			break
		}
	}
	if wrong == 0 {
		return
	}
	values, again := runC(t, bin, args...), p.inGo()
	for i := range p.n {
		if got, c := again(i), binary.NativeEndian.Uint32(values[4*i:]); got != c {
			t.Errorf("%s of input %08x (number %d from %d) is %08x, C gives %08x", p.name, uint32(p.from+i*p.step), i, p.from, got, c)
			return
		}
	}
	t.Errorf("%s: digests from %d differ and values do not", p.name, p.from)
}

// inGo returns the function that gives result i of the part; i goes up by one.
func (p part) inGo() func(i uint64) uint32 {
	if p.name == "fma" {
		g := triples{state: p.from}
		return func(uint64) uint32 { return Bits(FMA32(g.next())) }
	}
	for _, c := range functionsC {
		if c.name == p.name {
			return func(i uint64) uint32 { return c.f(uint32(p.from + i*p.step)) }
		}
	}
	return nil
}

// TestFX09EveryValueEqualsC compares FMA32 with the machine's and the functions
// with the C text: 2²² triples and 2²⁰ inputs spread over all, or everything.
func TestFX09EveryValueEqualsC(t *testing.T) {
	bin := buildC(t)
	names := []string{"fma"}
	for _, c := range functionsC {
		names = append(names, c.name)
	}
	for _, name := range names {
		var parts []part
		switch {
		case name == "fma" && *exhaustive:
			for i := range uint64(12) {
				parts = append(parts, part{name, 7 + i, partC, 1})
			}
		case name == "fma":
			parts = []part{{name, 7, 1 << 22, 1}}
		case name == "f16":
			parts = []part{{name, 0, 1 << 16, 1}}
		case *exhaustive:
			for from := uint64(0); from < 1<<32; from += partC {
				parts = append(parts, part{name, from, partC, 1})
			}
		default:
			parts = []part{{name, 0, 1 << 20, 4097}}
		}
		if *exhaustive {
			parts = chosen(t, name, parts)
		}
		compareAll(t, bin, name, parts)
	}
}

// chosen are the parts that the flags ask for.
func chosen(t *testing.T, name string, parts []part) []part {
	var i, n int
	if _, err := fmt.Sscanf(*slice, "%d/%d", &i, &n); err != nil || n < 1 || i < 0 || i >= n {
		t.Fatalf("-slice %s is not i/n with i below n", *slice)
	}
	if *only != "" && *only != name {
		return nil
	}
	return parts[i*len(parts)/n : (i+1)*len(parts)/n]
}

// compareAll works on all cores and, if exhaustive, reports the time.
func compareAll(t *testing.T, bin, name string, parts []part) {
	start, n := time.Now(), uint64(0)
	work := make(chan part, len(parts))
	for _, p := range parts {
		work <- p
		n += p.n
	}
	close(work)
	var wait sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wait.Go(func() {
			for p := range work {
				if !t.Failed() {
					p.compare(t, bin)
				}
				if *exhaustive && p.from>>25%16 == 15 {
					t.Logf("%s: up to %08x after %s", name, p.from+partC-1, time.Since(start).Round(time.Second))
				}
			}
		})
	}
	wait.Wait()
	if *exhaustive && n > 0 {
		t.Logf("%s: %d values in %s, any that differ: %v", name, n, time.Since(start).Round(time.Second), t.Failed())
	}
}
