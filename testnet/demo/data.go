// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed" // the dataset and its attribution are part of the program
	"fmt"
	"slices"
	"strings"

	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/internal/table"
	"github.com/openledger/openledger/ledger/genesis"
	"github.com/openledger/openledger/ledger/tx"
	"github.com/openledger/openledger/node/publish"
)

// The UCI handwritten digits, CC BY 4.0; see data/ATTRIBUTION.
//
//go:embed data/digits.csv
var digitsCSV []byte

//go:embed data/ATTRIBUTION
var attribution string

const (
	classes = 10
	scale   = 16
	source  = "E. Alpaydin, C. Kaynak, Optical Recognition of Handwritten Digits, UCI 1998, CC BY 4.0"
)

// sizes are the weights by which the training rows are dealt: unequal, so that
// shares differ.
var sizes = []int{1, 2, 3, 4, 6}

// copied is the contributor whose rows the last one copies.
const copied = 3

// parts are the CSV files of the demo.
type parts struct {
	valid []byte
	own   [][]byte // by contributor
}

// split cuts the digits by content (VAL-01: a row validates iff the first byte
// of its content key is below 85) and deals the training rows.
func split(csv []byte) (parts, error) {
	t, err := table.Parse("digits.csv", csv, table.Options{})
	if err != nil {
		return parts{}, err
	}
	cells, ok := t.Uint8()
	if !ok {
		return parts{}, t.NotUint8()
	}
	lines := bytes.Split(bytes.TrimSpace(csv), []byte("\n"))
	var valid, train [][]byte
	for i, line := range lines {
		key := sha256.Sum256(append(slices.Clone(cells[i*t.Features:(i+1)*t.Features]), byte(t.Labels[i])))
		if key[0] < 85 {
			valid = append(valid, line)
		} else {
			train = append(train, line)
		}
	}
	p := parts{valid: join(valid)}
	total := 0
	for _, w := range sizes {
		total += w
	}
	var theirs [][]byte
	from, w := 0, 0
	for _, size := range sizes {
		w += size
		to := len(train) * w / total
		p.own = append(p.own, join(train[from:to]))
		if len(p.own)-1 == copied {
			theirs = train[from:to]
		}
		from = to
	}
	p.own = append(p.own, nearCopy(theirs))
	return p, nil
}

func join(lines [][]byte) []byte { return append(bytes.Join(lines, []byte("\n")), '\n') }

// nearCopy is what a copier uploads: the same rows in another order, one pixel
// of each changed by one.
func nearCopy(rows [][]byte) []byte {
	out := make([][]byte, 0, len(rows))
	for _, row := range slices.Backward(rows) {
		cells := strings.Split(string(row), ",")
		if cells[0] == "0" {
			cells[0] = "1"
		} else {
			cells[0] = "0"
		}
		out = append(out, []byte(strings.Join(cells, ",")))
	}
	return join(out)
}

const datasetStake = 1 * fixed.OPEN

// publish is beat 2: contributors publish their parts, one of them a copy.
func (s *story) publish(ctx context.Context) error {
	var err error
	if s.data, err = split(digitsCSV); err != nil {
		return err
	}
	s.fact("data: %s", source)
	terms := genesis.CCBY4().ID()
	net, err := s.create(ctx, requester, &tx.DatanetCreate{Name: datanet, Terms: []tx.ID{terms}, StakeBase: datasetStake})
	if err != nil {
		return err
	}
	put := func(who, file string, csv []byte) (tx.ID, publish.Manifest, error) {
		m, err := publish.Prepare(file, csv, publish.Input{Name: who, Source: source, Terms: terms, Owner: s.address(who)})
		if err != nil {
			return tx.ID{}, m, err
		}
		c, err := publish.Publish(ctx, s.c, s.key[who], m, csv, net, datasetStake)
		return c.ID, m, err
	}
	id, m, err := put(requester, "validation.csv", s.data.valid)
	if err != nil {
		return err
	}
	s.valid = id
	s.digest.add("validation", m.RowRoot)
	for i, who := range contributors {
		id, m, err := put(who, who+".csv", s.data.own[i])
		if err != nil {
			return err
		}
		s.sets[who] = id
		s.digest.add("dataset "+who, m.RowRoot)
		s.fact("%-8s published %4d rows, root %.10s", who, m.Rows, m.RowRoot)
	}
	s.fact("%s republished %s's rows under its own name, one pixel of each changed", contributors[len(contributors)-1], contributors[copied])
	if err := s.learned(ctx); err != nil {
		return err
	}
	s.try("data list --node %s", s.net.Nodes[1].RPC)
	return nil
}

// learned checks that a node which nobody told heard of every dataset by gossip.
func (s *story) learned(ctx context.Context) error {
	worker := s.net.Nodes[len(s.net.Nodes)-1]
	for _, who := range contributors {
		if err := until(ctx, worker.Name+" hears of "+who+"'s dataset", waitGossip, func(ctx context.Context) (bool, error) {
			m, err := worker.Client().DatasetManifest(ctx, idParams(s.sets[who]))
			return err == nil && len(m.Manifest) > 0, nil
		}); err != nil {
			return err
		}
	}
	s.fact("%s heard of all %d manifests by gossip", worker.Name, len(contributors))
	return nil
}

// digest collects what must be equal on every run and machine (DEMO-03).
type digest struct{ lines []string }

func (d *digest) add(what string, v any) { d.lines = append(d.lines, fmt.Sprintf("%s %v", what, v)) }

func (d *digest) sum() tx.ID { return sha256.Sum256([]byte(strings.Join(d.lines, "\n"))) }
