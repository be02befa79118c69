// SPDX-License-Identifier: Apache-2.0

package fx

import (
	"bufio"
	"encoding/binary"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
)

// all makes the comparisons with C exhaustive: 4·10⁸ triples and all 2³² inputs
// of each function. It takes about three hours.
var all = os.Getenv("OPENLEDGER_FX") == "all"

// buildC compiles the reference text.
func buildC(t *testing.T) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "fx")
	out, err := exec.Command("cc", "-O2", "-std=c11", "-ffp-contract=off", "-o", bin, "testdata/fx.c", "-lm").CombinedOutput()
	if err != nil {
		t.Fatalf("tests need a C compiler named cc: %v\n%s", err, out)
	}
	return bin
}

// runC calls check with each result of the program, in order.
func runC(t *testing.T, n uint64, check func(i uint64, want uint32), bin string, args ...string) {
	t.Helper()
	cmd := exec.Command(bin, args...)
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReaderSize(pipe, 1<<20)
	var buf [4]byte
	for i := range n {
		if _, err := io.ReadFull(r, buf[:]); err != nil {
			t.Fatal(err)
		}
		check(i, binary.NativeEndian.Uint32(buf[:]))
		if t.Failed() {
			cmd.Process.Kill()
			break
		}
	}
	cmd.Wait()
}

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

func TestFX09FMAEqualsTheMachinesFMA(t *testing.T) {
	n := uint64(1 << 22)
	if all {
		n = 400_000_000
	}
	bin := buildC(t)
	g := triples{state: 7}
	runC(t, n, func(i uint64, want uint32) {
		x, y, z := g.next()
		if got := Bits(FMA32(x, y, z)); got != want {
			t.Errorf("triple %d: fma(%08x, %08x, %08x) = %08x, the machine gives %08x", i, Bits(x), Bits(y), Bits(z), got, want)
		}
	}, bin, "fma", "7", strconv.FormatUint(n, 10))
}

func TestFX09FunctionsEqualTheCText(t *testing.T) {
	n, step := uint64(1<<20), uint64(4097)
	if all {
		n, step = 1<<32, 1
	}
	bin := buildC(t)
	for _, c := range []struct {
		name string
		f    func(float32) float32
	}{{"exp", Exp}, {"log", Log}, {"tanh", Tanh}, {"sigmoid", Sigmoid}, {"silu", Silu}} {
		t.Run(c.name, func(t *testing.T) {
			runC(t, n, func(i uint64, want uint32) {
				in := uint32(i * step)
				if got := Bits(c.f(math.Float32frombits(in))); got != want {
					t.Errorf("%s(%08x) = %08x, C gives %08x", c.name, in, got, want)
				}
			}, bin, c.name, "0", strconv.FormatUint(n, 10), strconv.FormatUint(step, 10))
		})
	}
}
