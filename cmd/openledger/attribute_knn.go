// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"io"
	"math"
	"math/big"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/openledger/openledger/internal/table"
	"github.com/openledger/openledger/poa/atom"
	"github.com/openledger/openledger/poa/knn"
	"github.com/openledger/openledger/poa/lineage"
)

type knnOptions struct {
	train, valid  string
	k             int64
	soft          bool
	weights, ties string
}

func newAttributeKNNCmd() *cobra.Command {
	var o knnOptions
	c := &cobra.Command{
		Use:   "knn --train T.csv --valid V.csv --k K",
		Short: "Exact KNN-Shapley values of training rows",
		Long: `Exact Shapley values of training rows for a K-nearest-neighbour model, judged by
the rows of --valid. The last column is the integer label. If all cells of both
files are integers 0..255, "exact" holds the integers that the ledger pays by.`,
		Example: "  openledger attribute knn --train train.csv --valid valid.csv --k 5 --soft",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runAttributeKNN(o, cmd.OutOrStdout(), offlineProgress(cmd))
		},
	}
	f := c.Flags()
	f.StringVar(&o.train, "train", "", "CSV of training rows")
	f.StringVar(&o.valid, "valid", "", "CSV of validation rows")
	f.Int64Var(&o.k, "k", 0, "number of neighbours that vote, at least 1")
	f.BoolVar(&o.soft, "soft", false, "divide by the neighbours present instead of by K")
	f.StringVar(&o.weights, "weights", "", "uint8 demands the exact integer path, float forces binary64 (default: by the cells)")
	f.StringVar(&o.ties, "ties", "content", "order of equal distances: content (hash of the row) or index")
	return c
}

// runAttributeKNN is the command without its flags. Spec: OFF-01, KNN-01..06.
func runAttributeKNN(o knnOptions, out io.Writer, progress func(string, int, int)) error {
	switch {
	case o.k < 1:
		return usage("--k %d: must be at least 1", o.k)
	case o.weights != "" && o.weights != "uint8" && o.weights != "float":
		return usage("--weights %q: use uint8 or float", o.weights)
	case o.ties != "content" && o.ties != "index":
		return usage("--ties %q: use content or index", o.ties)
	}
	train, err := readTable("train", o.train)
	if err != nil {
		return err
	}
	valid, err := readTable("valid", o.valid)
	if err != nil {
		return err
	}
	if train.Features != valid.Features {
		return usage("%s:%d: column %d: %d features, %s has %d", o.valid, valid.Line(0),
			min(train.Features, valid.Features)+1, valid.Features, o.train, train.Features)
	}
	v, err := newKNNValues(o, train, valid)
	if err != nil {
		return err
	}
	for i := range valid.Rows {
		progress("knn", i, valid.Rows)
		if err := v.add(i); err != nil {
			return err
		}
	}
	progress("knn", valid.Rows, valid.Rows)
	return v.write(out)
}

func readTable(flag, path string) (*table.Table, error) {
	b, err := readOffline(flag, path)
	if err != nil {
		return nil, err
	}
	t, err := table.Parse(path, b, table.Options{})
	if err != nil {
		return nil, usage("%v", err)
	}
	return t, nil
}

// knnValues sums the values of every validation row: wide for printing, and on
// the integer path the numerators too.
type knnValues struct {
	o            knnOptions
	train, valid *table.Table
	coefs        *knn.Coefs
	order        func(i int) ([]uint32, error)
	wide         []knn.Wide
	exact        []int64 // nil on the float path
}

func newKNNValues(o knnOptions, train, valid *table.Table) (*knnValues, error) {
	v := &knnValues{o: o, train: train, valid: valid, wide: make([]knn.Wide, train.Rows)}
	a, exactTrain := train.Uint8()
	b, exactValid := valid.Uint8()
	if o.weights == "uint8" {
		for _, t := range []*table.Table{train, valid} {
			if at := t.NotUint8(); at != nil {
				return nil, usage("%v (--weights uint8 needs integers 0..255)", at)
			}
		}
	}
	p := knn.Params{K: uint64(o.k), Soft: o.soft, Classes: countClasses(train, valid)}
	var err error
	if v.coefs, err = knn.NewCoefs(train.Rows, p); err != nil {
		return nil, inFile(o.train, err)
	}
	v.coefs.Widen()
	if exactTrain && exactValid && o.weights != "float" {
		v.exact = make([]int64, train.Rows)
		v.order, err = exactOrder(o, train, a, b)
	} else {
		v.order = floatOrder(o, train, valid)
	}
	if err != nil {
		return nil, inFile(o.train, err)
	}
	return v, nil
}

// countClasses counts the labels that occur in either file: C of KNN-03.
func countClasses(tables ...*table.Table) uint64 {
	var labels []int64
	for _, t := range tables {
		labels = append(labels, t.Labels...)
	}
	slices.Sort(labels)
	return uint64(len(slices.Compact(labels)))
}

func exactOrder(o knnOptions, train *table.Table, a, b []uint8) (func(int) ([]uint32, error), error) {
	d := train.Features
	points := make([]knn.Point, train.Rows)
	for i := range points {
		points[i] = knn.Point{Features: a[i*d : (i+1)*d], Label: train.Labels[i]}
		if o.ties == "content" {
			points[i].Key = atom.Row{Features: points[i].Features, Label: uint8(train.Labels[i])}.Key()
		}
	}
	x, err := knn.NewIndex(points)
	if err != nil {
		return nil, err
	}
	s := x.Orderer()
	return func(i int) ([]uint32, error) { return s.Order(b[i*d : (i+1)*d]), nil }, nil
}

// floatOrder sorts by d² = Σ over ascending columns of float64(e·e), unfused;
// everything after the sort is integers. Spec: KNN-06.
func floatOrder(o knnOptions, train, valid *table.Table) func(int) ([]uint32, error) {
	a, b, d := train.Float64(), valid.Float64(), train.Features
	keys := make([][32]byte, train.Rows)
	if o.ties == "content" {
		keys = lineage.TableRows(train)
	}
	rank := knn.RankByKey(keys)
	type near struct {
		d2   float64
		rank int
	}
	list := make([]near, train.Rows)
	order := make([]uint32, train.Rows)
	return func(i int) ([]uint32, error) {
		q := b[i*d : (i+1)*d]
		for r, j := range rank {
			d2 := dist2(a[int(j)*d:(int(j)+1)*d], q)
			if math.IsInf(d2, 0) {
				return nil, usage("%s:%d: column 1: the distance to %s:%d is not finite; scale the features",
					o.valid, valid.Line(i), o.train, train.Line(int(j)))
			}
			list[r] = near{d2, r}
		}
		slices.SortFunc(list, func(x, y near) int {
			return cmp.Or(cmp.Compare(x.d2, y.d2), x.rank-y.rank)
		})
		for n, x := range list {
			order[n] = rank[x.rank]
		}
		return order, nil
	}
}

func dist2(a, b []float64) float64 {
	s := 0.0
	for j, x := range a {
		e := x - b[j]
		s = float64(e*e) + s
	}
	return s
}

// add judges by validation row i.
func (v *knnValues) add(i int) error {
	order, err := v.order(i)
	if err != nil {
		return err
	}
	y := v.valid.Labels[i]
	v.coefs.AddWide(order, v.train.Labels, y, v.wide)
	if v.exact != nil {
		v.coefs.Add(order, v.train.Labels, y, v.exact)
	}
	return nil
}

// write prints the result. Spec: OFF-01.
func (v *knnValues) write(w io.Writer) error {
	var j jsonLine
	j.raw("method", `"knn-shapley"`)
	j.raw("k", strconv.FormatInt(v.o.k, 10))
	total := knn.Wide{}
	j.list("values", len(v.wide), func(i int) string {
		total = total.Plus(v.wide[i])
		return ratText(v.wide[i].Rat(v.valid.Rows))
	})
	j.raw("total", ratText(total.Rat(v.valid.Rows)))
	if v.exact != nil {
		var e jsonLine
		den := new(big.Int).Lsh(big.NewInt(int64(v.valid.Rows)), knn.Scale)
		e.raw("denominator", den.String())
		e.list("numerators", len(v.exact), func(i int) string { return strconv.FormatInt(v.exact[i], 10) })
		j.raw("exact", string(e.b)+"}")
	}
	return j.writeTo(w)
}
