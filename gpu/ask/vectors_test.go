// SPDX-License-Identifier: Apache-2.0

package ask_test

import (
	"cmp"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/openledger/openledger/gpu/ask"
	"github.com/openledger/openledger/gpu/infer"
	"github.com/openledger/openledger/gpu/model"
	"github.com/openledger/openledger/internal/table"
	"github.com/openledger/openledger/poa/decoder"
	"github.com/openledger/openledger/poa/program"
)

var update = flag.Bool("update", false, "write docs/spec/vectors/ask.json instead of comparing")

const vectorFile = "../../docs/spec/vectors/ask.json"

type vectors struct {
	About    string      `json:"about"`
	Clauses  []string    `json:"clauses"`
	Task     string      `json:"task"`
	Operator string      `json:"operator"` // the 32 bytes of the address
	Runs     []runVector `json:"runs"`
	Package  string      `json:"package"` // of adapters
	Root     string      `json:"root"`    // of the package
}

type runVector struct {
	Name       string      `json:"name"`
	Rows       uint64      `json:"rows"` // per segment
	Results    ask.Results `json:"results"`
	Output     string      `json:"output"`
	Leaves     []string    `json:"leaves"` // encodings
	Root       string      `json:"root"`
	OutputRoot string      `json:"output_root"`
}

func makeVectors(t *testing.T) vectors {
	t.Helper()
	v := vectors{About: "What a model says about rows: results, the segments that they make, and the roots; and a package of adapters with its root.",
		Clauses: []string{"TASK-01", "CHK-01", "TNS-06"}, Task: hex.EncodeToString(id[:]), Operator: hex.EncodeToString(who[:])}
	d := fast(t)
	m := learned(t, d, small(), nil).Blob
	a := learned(t, d, onBase(false), m)
	v.Package, v.Root = hex.EncodeToString(a.Blob), hex.EncodeToString(a.Root[:])
	tab, err := table.Parse("rows.csv", []byte("1,2,0\n9,9,1\n3,1,0\n8,9,1\n0,0,1\n"), table.Options{})
	if err != nil {
		t.Fatal(err)
	}
	w := infer.New(model.Init(model.Arch{Model: program.MLP, Features: 2, Hidden: 3, Classes: 2, Scale: 16}, 1))
	for name, j := range map[string]ask.Job{
		"tell":     {Spec: decoder.Ask{Rows: 2, Max: 1}, Table: w, Tables: []*table.Table{tab}},
		"judge":    {Spec: decoder.Ask{Rows: 3}, Table: w, Tables: []*table.Table{tab}},
		"evaluate": {Spec: evaluate(3, false), Model: open(t, m), Lines: lines()},
		"answer":   {Spec: answer(4, false), Model: open(t, m), Adapters: open(t, a.Blob), Lines: lines()},
	} {
		j.Task, j.Operator = id, who
		r, err := ask.Run(j, d, ask.Options{})
		if err != nil {
			t.Fatal(err)
		}
		list, err := ask.Decode(r.Blob)
		if err != nil {
			t.Fatal(err)
		}
		x := runVector{Name: name, Rows: j.Spec.Rows, Results: list, Output: hex.EncodeToString(r.Blob), Root: hex.EncodeToString(r.Commitment.Root[:]),
			OutputRoot: hex.EncodeToString(r.Root[:])}
		for _, l := range r.Leaves {
			x.Leaves = append(x.Leaves, hex.EncodeToString(l.Encode()))
		}
		v.Runs = append(v.Runs, x)
	}
	slices.SortFunc(v.Runs, func(a, b runVector) int { return cmp.Compare(a.Name, b.Name) })
	return v
}

// TestTASK01VectorsOfResults compares with the committed vectors.
func TestTASK01VectorsOfResults(t *testing.T) {
	b, err := json.MarshalIndent(makeVectors(t), "", " ")
	if err != nil {
		t.Fatal(err)
	}
	b = append(b, '\n')
	if *update {
		if err := os.WriteFile(vectorFile, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(vectorFile)
	if err != nil || string(want) != string(b) {
		t.Fatalf("the vectors are others: %v; -args -update writes them", err)
	}
}

// TestTASK01VectorsInPython lets docs/spec/vectors/ask_check.py compute them from the
// clauses, and see that a changed one is found.
func TestTASK01VectorsInPython(t *testing.T) {
	check := func(path string) ([]byte, error) {
		return exec.Command("python3", "../../docs/spec/vectors/ask_check.py", path).CombinedOutput()
	}
	if out, err := check(vectorFile); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	b, err := os.ReadFile(vectorFile)
	if err != nil {
		t.Fatal(err)
	}
	for name, edit := range map[string]func(v *vectors){
		"a root":    func(v *vectors) { v.Runs[0].Root = v.Runs[1].Root },
		"an output": func(v *vectors) { v.Runs[1].OutputRoot = v.Runs[2].OutputRoot },
		"a result":  func(v *vectors) { v.Runs[1].Results.Scores[2].Loss ^= 1 },
		"a package": func(v *vectors) { v.Package = v.Package[:len(v.Package)-2] + "00" },
		"the order": func(v *vectors) {
			v.Runs[2].Results.Judged[0], v.Runs[2].Results.Judged[1] = v.Runs[2].Results.Judged[1], v.Runs[2].Results.Judged[0]
		},
		"a segment":  func(v *vectors) { v.Runs[3].Rows++ },
		"the worker": func(v *vectors) { v.Operator = v.Task },
	} {
		var v vectors
		if err := json.Unmarshal(b, &v); err != nil {
			t.Fatal(err)
		}
		edit(&v)
		bad, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "ask.json")
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := check(path); err == nil {
			t.Errorf("%s was changed, and nobody sees it: %s", name, out)
		}
	}
}
