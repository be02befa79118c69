// SPDX-License-Identifier: Apache-2.0

package poa_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/openledger/openledger/internal/detrand"
	"github.com/openledger/openledger/poa"
	"github.com/openledger/openledger/poa/atom"
	"github.com/openledger/openledger/poa/game"
	"github.com/openledger/openledger/poa/knn"
	"github.com/openledger/openledger/poa/payout"
	"github.com/openledger/openledger/poa/sampler"
)

var update = flag.Bool("update", false, "write the vector files instead of comparing")

const vectorDir = "../docs/spec/vectors"

type row struct {
	Features string `json:"features"` // bytes in hexadecimal
	Label    uint8  `json:"label"`
}

func (r row) bytes() []uint8 {
	b, err := hex.DecodeString(r.Features)
	if err != nil {
		panic(err)
	}
	return b
}

type knnCase struct {
	Name       string   `json:"name"`
	K          uint64   `json:"k"`
	Soft       bool     `json:"soft"`
	Classes    uint64   `json:"classes"`
	Train      []row    `json:"train"`
	Valid      []row    `json:"valid"`
	Keys       []string `json:"keys"`         // content keys of train
	Orders     [][]int  `json:"orders"`       // per validation row
	Numerators []string `json:"numerators"`   // over 2^40, summed over validation rows
	Printed    []string `json:"numerators96"` // over 2^96
	Digest     string   `json:"leaf_digest"`  // of one leaf over all validation rows
}

type atomCase struct {
	Name    string    `json:"name"`
	Tau     uint64    `json:"tau"`
	Train   []placed  `json:"train"`
	Valid   []placed  `json:"valid"`
	Fates   []string  `json:"fates"`
	Kept    []int     `json:"valid_kept"`
	Atoms   []int     `json:"founders"` // by content key
	Params  [3]uint64 `json:"k_classes_rows_per_leaf"`
	Owners  []string  `json:"owners"`
	Totals  []string  `json:"totals"`
	Weights []uint64  `json:"weights"`
	Leaves  []string  `json:"leaf_digests"`
	Result  string    `json:"result"` // canonical bytes
	Root    string    `json:"result_root"`
	Tree    [3]string `json:"weight_root"` // hash, sum, count
}

type placed struct {
	row
	Owner uint32    `json:"owner"`
	At    [3]uint64 `json:"priority"`
}

type badParams struct {
	Name    string `json:"name"`
	N       int    `json:"n"`
	K       uint64 `json:"k"`
	Soft    bool   `json:"soft"`
	Classes uint64 `json:"classes"`
	Error   string `json:"error"`
}

type knnFile struct {
	About   string      `json:"about"`
	Clauses []string    `json:"clauses"`
	Cases   []knnCase   `json:"cases"`
	Jobs    []atomCase  `json:"jobs"`
	Invalid []badParams `json:"invalid"`
}

func someRows(r *detrand.SplitMix, n, dim int, high, labels uint64) []row {
	rows := make([]row, n)
	for i := range rows {
		f := make([]uint8, dim)
		for j := range f {
			f[j] = uint8(r.Below(high))
		}
		rows[i] = row{hex.EncodeToString(f), uint8(r.Below(labels))}
	}
	return rows
}

func newKNNCase(t *testing.T, name string, p knn.Params, train, valid []row) knnCase {
	c := knnCase{Name: name, K: p.K, Soft: p.Soft, Classes: p.Classes, Train: train, Valid: valid}
	points, judges := make([]knn.Point, len(train)), make([]knn.Point, len(valid))
	for i, r := range train {
		points[i] = knn.Point{Features: r.bytes(), Label: int64(r.Label), Key: atom.Row{Features: r.bytes(), Label: r.Label}.Key()}
		c.Keys = append(c.Keys, hex.EncodeToString(points[i].Key[:]))
	}
	for i, r := range valid {
		judges[i] = knn.Point{Features: r.bytes(), Label: int64(r.Label)}
	}
	x, err := knn.NewIndex(points)
	must(t, err)
	coefs, err := knn.NewCoefs(len(train), p)
	must(t, err)
	coefs.Widen()
	o := x.Orderer()
	sums, wide := make([]int64, len(train)), make([]knn.Wide, len(train))
	for _, v := range judges {
		order := o.Order(v.Features)
		c.Orders = append(c.Orders, ints(order))
		coefs.Add(order, x.Labels(), v.Label, sums)
		coefs.AddWide(order, x.Labels(), v.Label, wide)
	}
	for i := range sums {
		c.Numerators = append(c.Numerators, fmt.Sprint(sums[i]))
		c.Printed = append(c.Printed, wide[i].Big().String())
	}
	job, err := knn.NewJob(p, points, judges, nil, uint64(len(valid)))
	must(t, err)
	leaf, err := job.Leaf(0)
	must(t, err)
	d := leaf.Digest()
	c.Digest = hex.EncodeToString(d[:])
	return c
}

func ints(x []uint32) []int {
	out := make([]int, len(x))
	for i, v := range x {
		out[i] = int(v)
	}
	return out
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newJobCase(t *testing.T, name string, seed, tau uint64, nTrain, nValid int) atomCase {
	r := detrand.NewSplitMix(seed)
	c := atomCase{Name: name, Tau: tau, Params: [3]uint64{3, 3, 4}}
	in := payout.Input{Params: knn.Params{K: 3, Soft: true, Classes: 3}, Tau: tau, RowsPerLeaf: 4}
	for i := range 3 {
		in.Owners = append(in.Owners, [32]byte{byte(16 * (i + 1)), 7})
		c.Owners = append(c.Owners, hex.EncodeToString(in.Owners[i][:]))
	}
	for i, x := range someRows(r, nTrain+nValid, 2, 24, 3) {
		p := placed{x, uint32(r.Below(3)), [3]uint64{1 + r.Below(3), r.Below(2), uint64(i)}}
		a := atom.Row{Features: x.bytes(), Label: x.Label, Owner: p.Owner,
			At: atom.Priority{Height: p.At[0], Tx: p.At[1], Row: p.At[2]}}
		if i < nTrain {
			c.Train, in.Train = append(c.Train, p), append(in.Train, a)
		} else {
			c.Valid, in.Valid = append(c.Valid, p), append(in.Valid, a)
		}
	}
	plan, err := payout.NewPlan(in)
	must(t, err)
	set := plan.Set()
	for _, f := range set.Rows {
		text := "founder"
		switch f.Reason {
		case poa.ReasonDuplicate:
			text = fmt.Sprintf("%v %d", f.Reason, set.Atoms[f.Atom].Founder)
		case poa.ReasonLeak:
			text = fmt.Sprintf("%v %d", f.Reason, f.Valid)
		}
		c.Fates = append(c.Fates, text)
	}
	c.Kept = set.Valid
	for _, a := range set.Atoms {
		c.Atoms = append(c.Atoms, a.Founder)
	}
	i := uint64(0)
	res, err := plan.Reduce(func() (knn.Leaf, bool) {
		l, err := plan.Leaf(i)
		if err == nil {
			d := l.Digest()
			c.Leaves = append(c.Leaves, hex.EncodeToString(d[:]))
		}
		i++
		return l, err == nil
	})
	must(t, err)
	for _, o := range res.Owners {
		c.Totals = append(c.Totals, o.Total().Big().String())
		c.Weights = append(c.Weights, o.Weight)
	}
	root := res.Root()
	c.Result, c.Root = hex.EncodeToString(res.Encode()), hex.EncodeToString(root[:])
	tree, err := res.WeightRoot()
	must(t, err)
	c.Tree = [3]string{hex.EncodeToString(tree.Hash[:]), fmt.Sprint(tree.Sum), fmt.Sprint(tree.Count)}
	return c
}

func TestKNNVectors(t *testing.T) {
	r := detrand.NewSplitMix(20)
	f := knnFile{
		About:   "KNN-Shapley numerators, atoms and attribution results. invalid: the parameters are refused with the error class.",
		Clauses: []string{"KNN-01", "KNN-02", "KNN-03", "KNN-04", "KNN-05", "ATM-03", "ATM-05", "ATM-06", "SHR-01", "SHR-03", "FLW-01", "RCP-02"},
		Invalid: []badParams{
			{"no rows", 0, 1, false, 0, "no rows"}, {"K of zero", 5, 0, false, 0, "value out of range"},
			{"soft without classes", 5, 1, true, 0, "value out of range"}, {"too many rows", poa.MaxRows + 1, 1, false, 0, "value out of range"},
		},
	}
	add := func(name string, p knn.Params, n, m, dim int, high uint64) {
		f.Cases = append(f.Cases, newKNNCase(t, name, p, someRows(r, n, dim, high, 3), someRows(r, m, dim, high, 3)))
	}
	add("one row, hard", knn.Params{K: 1}, 1, 2, 2, 256)
	add("one row, soft", knn.Params{K: 1, Soft: true, Classes: 3}, 1, 2, 2, 256)
	add("hard, K below N", knn.Params{K: 3}, 8, 4, 3, 256)
	add("hard, K above N", knn.Params{K: 9}, 5, 3, 3, 256)
	add("hard, a huge K", knn.Params{K: 1 << 40}, 4, 2, 3, 256)
	add("soft, K below N", knn.Params{K: 3, Soft: true, Classes: 3}, 8, 4, 3, 256)
	add("soft, K of one", knn.Params{K: 1, Soft: true, Classes: 10}, 7, 3, 3, 256)
	add("soft, K of two: exact halves", knn.Params{K: 2, Soft: true, Classes: 2}, 9, 3, 3, 256)
	add("soft, K above N", knn.Params{K: 9, Soft: true, Classes: 4}, 5, 3, 3, 256)
	add("ties everywhere", knn.Params{K: 2, Soft: true, Classes: 3}, 9, 5, 2, 2)
	add("wider and longer", knn.Params{K: 5, Soft: true, Classes: 3}, 60, 7, 17, 17)
	f.Jobs = []atomCase{
		newJobCase(t, "exact duplicates only", 31, 0, 40, 9),
		newJobCase(t, "near duplicates and leaks", 32, 5, 60, 14),
	}
	for _, b := range f.Invalid {
		if _, err := knn.NewCoefs(b.N, knn.Params{K: b.K, Soft: b.Soft, Classes: b.Classes}); err == nil || !bytes.Contains([]byte(err.Error()), []byte(b.Error)) {
			t.Errorf("%s: got %v, want %s", b.Name, err, b.Error)
		}
	}
	compare(t, "knn.json", f)
}

type gameCase struct {
	Name    string      `json:"name"`
	Text    string      `json:"text"`
	Shapley []string    `json:"shapley"`
	Banzhaf []string    `json:"banzhaf"`
	Loo     []string    `json:"loo"`
	Beta    []betaCase  `json:"beta"`
	Sampled []sampleRun `json:"sampled"`
}

type betaCase struct {
	A      int      `json:"a"`
	B      int      `json:"b"`
	Values []string `json:"values"`
}

type sampleRun struct {
	Sampler     sampler.Kind `json:"sampler"`
	Budget      uint64       `json:"budget"`
	Seed        uint64       `json:"seed"`
	EpsilonBps  uint64       `json:"epsilon_bps"`
	Bases       int          `json:"bases"`
	Evaluations uint64       `json:"evaluations"`
	Converged   bool         `json:"converged"`
	Estimate    []string     `json:"estimate"`
	HalfWidth   []string     `json:"half_width"`
}

type badText struct {
	Name  string `json:"name"`
	Text  string `json:"text"`
	Error string `json:"error"`
}

type gameFile struct {
	About   string     `json:"about"`
	Clauses []string   `json:"clauses"`
	Cases   []gameCase `json:"cases"`
	Invalid []badText  `json:"invalid"`
}

func rats(x []*big.Rat, scale *big.Int) []string {
	out := make([]string, len(x))
	for i, v := range x {
		if v != nil {
			out[i] = new(big.Rat).Quo(v, new(big.Rat).SetInt(scale)).RatString()
		}
	}
	return out
}

func TestGameVectors(t *testing.T) {
	f := gameFile{
		About:   "Exact and sampled values of games given as JSON text; rationals as p/q, half widths \"\" where there is a single base. invalid: the text is refused with this line.",
		Clauses: []string{"GAM-01", "SMP-01", "SMP-02", "SMP-03", "SMP-04", "SMP-05", "ARC-04"},
	}
	r := detrand.NewSplitMix(21)
	random := func(n int, places int) string {
		s := fmt.Sprintf(`{"n":%d,"v":[`, n)
		for i := range 1 << n {
			if i > 0 {
				s += ","
			}
			s += fmt.Sprintf("%d.%0*d", int64(r.Below(40))-20, places, r.Below(1000))
		}
		return s + "]}"
	}
	one := big.NewInt(1)
	for _, c := range []struct{ name, text string }{
		{"one player", `{"n":1,"v":[0.25,1]}`},
		{"two players, tenths", `{"n":2,"v":[0,0.1,0.2,0.3]}`},
		{"the glove game", `{"n":3,"v":[0,0,0,1,0,1,0,1]}`},
		{"majority of five", `{"n":5,"v":[0,0,0,0,0,0,0,1,0,0,0,1,0,1,1,1,0,0,0,1,0,1,1,1,0,1,1,1,1,1,1,1]}`},
		{"mixed sizes", `{"v":[0,1e-30,-12345678901234567890,1E+20,0.5,-0.0,7,1e2],"n":3}`},
		{"random, four players", random(4, 3)},
		{"random, six players", random(6, 5)},
	} {
		g, err := game.Parse([]byte(c.text))
		must(t, err)
		s := g.Strata()
		x := gameCase{Name: c.name, Text: c.text, Shapley: rats(s.Shapley(), one), Banzhaf: rats(s.Banzhaf(), one), Loo: rats(g.LeaveOneOut(), one)}
		for _, ab := range [][2]int{{1, 1}, {4, 1}, {1, 16}, {3, 2}} {
			b, err := s.Beta(ab[0], ab[1])
			must(t, err)
			x.Beta = append(x.Beta, betaCase{ab[0], ab[1], rats(b, one)})
		}
		for _, p := range []sampler.Params{
			{Kind: sampler.CyclicRev, Budget: 60, Seed: 1, EpsilonBps: 1000}, {Kind: sampler.Antithetic, Budget: 40, Seed: 7, EpsilonBps: 1000},
			{Kind: sampler.Complementary, Budget: 60, Seed: 1 << 63, EpsilonBps: 1000}, {Kind: sampler.CyclicRev, Budget: 12, Seed: 2, EpsilonBps: 1000},
		} {
			e, err := sampler.Run(g.Players(), g.Value, p)
			must(t, err)
			if e.Bases <= 64 {
				x.Sampled = append(x.Sampled, sampleRun{p.Kind, p.Budget, p.Seed, p.EpsilonBps, e.Bases, e.Evaluations, e.Converged, rats(e.Values, g.Scale()), rats(e.HalfWidths, g.Scale())})
			}
		}
		f.Cases = append(f.Cases, x)
	}
	for _, b := range []struct{ name, text string }{
		{"nothing", ``}, {"an array", `[0,1]`}, {"a value too few", `{"n":2,"v":[0,1,2]}`}, {"not finite", `{"n":1,"v":[0,NaN]}`},
		{"no players", `{"n":0,"v":[0]}`}, {"25 players", `{"n":25,"v":[]}`}, {"an unknown key", `{"n":1,"v":[0,1],"x":2}`},
		{"a key twice", `{"n":1,"n":1,"v":[0,1]}`}, {"a huge exponent", `{"n":1,"v":[0,1e401]}`}, {"cut", `{"n":1,"v":[0,`},
		{"text after the end", `{"n":1,"v":[0,1]},`}, {"a value as text", `{"n":1,"v":[0,"1"]}`},
	} {
		_, err := game.Parse([]byte(b.text))
		if err == nil {
			t.Fatalf("%s: accepted", b.name)
		}
		f.Invalid = append(f.Invalid, badText{b.name, b.text, err.Error()})
	}
	compare(t, "game.json", f)
}

type splitCase struct {
	Name    string   `json:"name"`
	Pool    string   `json:"pool"`
	Weights []string `json:"weights"`
	Parts   []string `json:"parts"`
}

type fileCase struct {
	Name        string   `json:"name"`
	Pool        string   `json:"pool"`
	Text        string   `json:"text"`
	Payouts     []string `json:"payouts"`
	Unallocated string   `json:"unallocated"`
	Clipped     []int    `json:"clipped"`
}

type totalsCase struct {
	Name    string   `json:"name"`
	Totals  []string `json:"totals"`
	Weights []uint64 `json:"weights"`
	Why     []string `json:"why"`
}

type payoutFile struct {
	About   string       `json:"about"`
	Clauses []string     `json:"clauses"`
	Splits  []splitCase  `json:"splits"`
	Totals  []totalsCase `json:"totals"`
	Files   []fileCase   `json:"files"`
	Invalid []badText    `json:"invalid"`
}

func TestPayoutVectors(t *testing.T) {
	f := payoutFile{
		About:   "Largest-remainder splits, weights of 2^40 from signed totals, and weights files. invalid: the text is refused with this line.",
		Clauses: []string{"SHR-01", "SHR-02", "SHR-03", "OFF-01"},
	}
	for _, c := range []struct {
		name, pool string
		weights    []string
	}{
		{"equal rests", "10", []string{"1", "1", "1"}}, {"largest rest first", "10", []string{"50", "35", "15"}},
		{"zero weights", "7", []string{"0", "3", "0"}}, {"no weight", "7", []string{"0", "0"}}, {"an empty pool", "0", []string{"1", "2"}},
		{"more payees than units", "2", []string{"1", "1", "1", "1"}},
		{"256-bit weights", "1099511627776", []string{"115792089237316195423570985008687907853269984665640564039457584007913129639935", "1", "57896044618658097711785492504343953926634992332820282019728792003956564819968"}},
		{"a large pool", "340282366920938463463374607431768211455", []string{"3", "3", "1"}},
	} {
		parts := payout.Hamilton(number(c.pool), numbers(c.weights))
		f.Splits = append(f.Splits, splitCase{c.name, c.pool, c.weights, texts(parts)})
	}
	for _, c := range []struct {
		name   string
		totals []string
	}{
		{"in proportion", []string{"1", "3"}}, {"negative totals", []string{"5", "-7", "0", "5"}}, {"nobody", []string{"-1", "0"}},
		{"past 64 bits", []string{"18446744073709551616", "55340232221128654848", "-18446744073709551617"}}, {"below one of 2^40", []string{"1", "36893488147419103232"}},
	} {
		wide := make([]knn.Wide, len(c.totals))
		for i, x := range numbers(c.totals) {
			wide[i] = knn.Wide{Hi: new(big.Int).Rsh(x, 64).Int64(), Lo: new(big.Int).And(x, new(big.Int).SetUint64(^uint64(0))).Uint64()}
		}
		w, _ := payout.Weights(wide)
		x := totalsCase{Name: c.name, Totals: c.totals, Weights: w}
		for i := range wide {
			x.Why = append(x.Why, payout.Why(wide, w, i).String())
		}
		f.Totals = append(f.Totals, x)
	}
	for _, c := range []struct{ name, pool, text string }{
		{"a list", "10", `[1,1,1]`}, {"a list under its name", "1000", `{"weights":[0.5,-3,1.5]}`}, {"owners", "1001", `{"bob":3,"alice":1}`},
		{"decimals that are no binary fractions", "100", `[0.1,0.2,0.7]`}, {"too small to count", "100", `[1e-20,0]`},
		{"halves to even", "3", `[4.547473508864641189575195312500000e-13,1.3642420526593923568725585937500000e-12]`},
		{"large and exact", "340282366920938463463374607431768211457", `[1e39,1000000000000000000000000000000000000000]`},
		{"all negative", "9", `[-1,-2]`},
	} {
		w, err := payout.ParseFile([]byte(c.text))
		must(t, err)
		s := w.Divide(number(c.pool))
		f.Files = append(f.Files, fileCase{c.name, c.pool, c.text, texts(s.Payouts), s.Unallocated.String(), s.Clipped})
	}
	for _, b := range []struct{ name, text string }{
		{"nothing", ""}, {"an empty list", "[]"}, {"an empty object", "{}"}, {"a number", "1"}, {"text for a number", `["1"]`}, {"not finite", "[1,\nInfinity]"},
		{"a list inside", "[[1]]"}, {"an owner twice", `{"a":1,"a":2}`}, {"weights and others", `{"weights":[1],"a":1}`}, {"a comma at the end", "[1,]"},
		{"two values", "[1][2]"}, {"a huge exponent", "[1e401]"},
	} {
		_, err := payout.ParseFile([]byte(b.text))
		if err == nil {
			t.Fatalf("%s: accepted", b.name)
		}
		f.Invalid = append(f.Invalid, badText{b.name, b.text, err.Error()})
	}
	compare(t, "payout_weights.json", f)
}

func number(s string) *big.Int {
	x, ok := new(big.Int).SetString(s, 10)
	if !ok {
		panic(s)
	}
	return x
}

func numbers(s []string) []*big.Int {
	out := make([]*big.Int, len(s))
	for i, x := range s {
		out[i] = number(x)
	}
	return out
}

func texts(x []*big.Int) []string {
	out := make([]string, len(x))
	for i, v := range x {
		out[i] = v.String()
	}
	return out
}

func compare(t *testing.T, name string, v any) {
	t.Helper()
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	must(t, e.Encode(v))
	path := filepath.Join(vectorDir, name)
	if *update {
		must(t, os.WriteFile(path, b.Bytes(), 0o644))
	}
	have, err := os.ReadFile(path)
	must(t, err)
	if !bytes.Equal(have, b.Bytes()) {
		t.Errorf("%s is not what the code gives; run go test ./poa -update and review the difference", name)
	}
}

// TestVectorsHoldInAnotherLanguage recomputes the files with Python fractions.
func TestVectorsHoldInAnotherLanguage(t *testing.T) {
	out, err := exec.Command("python3", filepath.Join(vectorDir, "poa_check.py")).CombinedOutput()
	if err != nil {
		t.Fatalf("python3 is needed for the tests, and poa_check.py must agree: %v\n%s", err, out)
	}
	t.Logf("%s", out)
}

// TestDamagedVectorsAreNoticed lets the script change every result it knows.
func TestDamagedVectorsAreNoticed(t *testing.T) {
	if out, err := exec.Command("python3", filepath.Join(vectorDir, "poa_check.py"), "--damage").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}
