// SPDX-License-Identifier: Apache-2.0

package lineage

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"testing"

	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/internal/merkle"
	"github.com/openledger/openledger/internal/table"
	"pgregory.net/rapid"
)

func parse(t testing.TB, text string, opt table.Options) *table.Table {
	t.Helper()
	tab, err := table.Parse("t.csv", []byte(text), opt)
	if err != nil {
		t.Fatal(err)
	}
	return tab
}

func TestLIN01RowHashes(t *testing.T) {
	one, minus := int64(1), int64(-1)
	for _, c := range []struct {
		name string
		got  [32]byte
		body any // [features, label|null, meta[]]
	}{
		{"integers with a label", IntRow([]int64{0, -5, 300}, &one, nil), []any{[]int64{0, -5, 300}, 1, []any{}}},
		{"integers without a label", IntRow([]int64{7}, nil, nil), []any{[]int64{7}, nil, []any{}}},
		{"a negative label", IntRow([]int64{7}, &minus, nil), []any{[]int64{7}, -1, []any{}}},
		{"no features", IntRow(nil, &one, nil), []any{[]any{}, 1, []any{}}},
		{"meta data", IntRow([]int64{7}, nil, [][]byte{[]byte("x")}), []any{[]int64{7}, nil, []any{[]byte("x")}}},
		{"a line of a text", TextRow([]byte("na\xc3\xafve, 7")), []any{[]any{}, nil, []any{[]byte("na\xc3\xafve, 7")}}},
		{"bits of a number", BitsRow([]byte{0, 0, 0, 0, 0, 0, 4, 0xc0}, &one, nil), []any{[]byte{0, 0, 0, 0, 0, 0, 4, 0xc0}, 1, []any{}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			want := sha256.Sum256(enc.Encode([]any{"openledger/row/1", c.body}))
			if c.got != want {
				t.Errorf("row hash %x, want %x", c.got, want)
			}
		})
	}
}

func TestLIN01TheRootDependsOnTheNumbersNotOnTheText(t *testing.T) {
	base := Root(TableRows(parse(t, "1,2,0\n3,4,1\n", table.Options{})))
	for name, text := range map[string]string{
		"other line ends":  "1,2,0\r\n3,4,1\r\n",
		"a header":         "a,b,label\n1,2,0\n3,4,1\n",
		"blanks":           " 1 , 2,0\n3,4,1",
		"an explicit sign": "+1,2,0\n3,4,1\n",
	} {
		tab, err := table.Parse("t.csv", []byte(text), table.Options{})
		if err != nil {
			continue // stricter than this test needs
		}
		if Root(TableRows(tab)) != base {
			t.Errorf("%s change the root", name)
		}
	}
	for name, text := range map[string]string{
		"another number":   "1,2,0\n3,5,1\n",
		"another label":    "1,2,0\n3,4,0\n",
		"another order":    "3,4,1\n1,2,0\n",
		"a row more":       "1,2,0\n3,4,1\n3,4,1\n",
		"a fraction":       "1,2,0\n3,4.5,1\n",
		"columns reversed": "2,1,0\n4,3,1\n",
	} {
		if Root(TableRows(parse(t, text, table.Options{}))) == base {
			t.Errorf("%s does not change the root", name)
		}
	}
	if Root(TableRows(parse(t, "1,2,0\n3,4,1\n", table.Options{Unlabeled: true}))) == base {
		t.Error("a label that is a feature does not change the root")
	}
}

// digitsRoot is the dataset root of testnet/demo/data/digits.csv.
const digitsRoot = "0bbd874444c7fa3fb7c8aef5accef7760122ecb26719251c39257dcd5a930238"

func TestLIN01TheDigits(t *testing.T) {
	data, err := os.ReadFile("../../testnet/demo/data/digits.csv")
	if err != nil {
		t.Fatal(err)
	}
	rows := TableRows(parse(t, string(data), table.Options{}))
	if got := fmt.Sprintf("%x", Root(rows)); len(rows) != 1797 || got != digitsRoot {
		t.Errorf("%d rows with root %s, want 1797 with %s", len(rows), got, digitsRoot)
	}
}

func hashes(n int) [][32]byte {
	out := make([][32]byte, n)
	for i := range out {
		out[i] = [32]byte{byte(i), byte(i >> 8), byte(i >> 16), 1}
	}
	return out
}

func TestLIN01RowsLeadToTheRoot(t *testing.T) {
	for _, n := range []int{1, 2, 3, 1797, ShardRows, ShardRows + 1, 2*ShardRows + 5} {
		rows := hashes(n)
		root := Root(rows)
		for _, i := range []int{0, 1, n / 2, ShardRows - 1, ShardRows, n - 1} {
			if i >= n {
				continue
			}
			p, err := Prove(rows, uint64(i))
			if err != nil {
				t.Fatal(err)
			}
			again, err := DecodePath(p.Encode())
			if err != nil {
				t.Fatal(err)
			}
			if err := again.Verify(root, rows[i]); err != nil {
				t.Errorf("row %d of %d: %v", i, n, err)
			}
			if other := (i + 1) % n; other != i && again.Verify(root, rows[other]) == nil {
				t.Errorf("row %d of %d verifies in the place of %d", other, n, i)
			}
		}
		if _, err := Prove(rows, uint64(n)); !errors.Is(err, ErrIndex) {
			t.Errorf("row %d of %d: %v", n, n, err)
		}
	}
}

func TestLIN01ShardsAreTreesOfTheirOwn(t *testing.T) {
	rows := hashes(ShardRows + 3)
	roots := ShardRoots(rows)
	if len(roots) != 2 || roots[1] != merkle.Root(leaves(rows[ShardRows:])) {
		t.Error("the second shard is not the tree over the rows past 65,536")
	}
	if Root(rows) != merkle.Root(leaves(roots)) {
		t.Error("the dataset root is not the tree over the shard roots")
	}
}

func TestPathVerifyRefuses(t *testing.T) {
	rows := hashes(ShardRows + 10)
	root := Root(rows)
	good := func() Path {
		p, err := Prove(rows, ShardRows+4)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	for _, c := range []struct {
		name string
		edit func(*Path)
		want error
	}{
		{"a row past the end", func(p *Path) { p.Rows = p.Index }, ErrIndex},
		{"more rows than a dataset has", func(p *Path) { p.Rows = MaxRows + 1 }, ErrIndex},
		{"another index", func(p *Path) { p.Index-- }, ErrPath},
		{"the same place in another shard", func(p *Path) { p.Index -= ShardRows }, ErrPath},
		{"another shard root", func(p *Path) { p.Root[0] ^= 1 }, ErrPath},
		{"a short shard path", func(p *Path) { p.Shard = p.Shard[1:] }, ErrPath},
		{"a long shard path", func(p *Path) { p.Shard = append(p.Shard, [32]byte{}) }, ErrPath},
		{"a short dataset path", func(p *Path) { p.Dataset = nil }, ErrPath},
		{"a changed sibling", func(p *Path) { p.Dataset[0][3] ^= 8 }, ErrPath},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := good()
			c.edit(&p)
			if err := p.Verify(root, rows[ShardRows+4]); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

func TestLIN01EveryRowOfSmallDatasetsVerifies(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rows := hashes(rapid.IntRange(1, 200).Draw(t, "n"))
		i := rapid.IntRange(0, len(rows)-1).Draw(t, "i")
		j := rapid.IntRange(0, len(rows)-1).Draw(t, "j")
		p, err := Prove(rows, uint64(i))
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Verify(Root(rows), rows[j]); (err == nil) != (i == j) {
			t.Fatalf("row %d against the path of %d: %v", j, i, err)
		}
	})
}

func FuzzDecodePath(f *testing.F) {
	rows := hashes(9)
	root := Root(rows)
	p, err := Prove(rows, 4)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(p.Encode())
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := DecodePath(data)
		if err != nil {
			return
		}
		if string(got.Encode()) != string(data) {
			t.Fatal("two encodings of one path")
		}
		if got.Verify(root, rows[4]) == nil && got.Rows == 9 && got.Index != 4 {
			t.Fatal("row 4 verifies in another place")
		}
	})
}

func BenchmarkTableRows(b *testing.B) {
	data, err := os.ReadFile("../../testnet/demo/data/digits.csv")
	if err != nil {
		b.Fatal(err)
	}
	t := parse(b, string(data), table.Options{})
	for b.Loop() {
		TableRows(t)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(t.Rows), "ns/row")
}
