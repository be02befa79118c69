// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/openledger/openledger/gpu/ask"
	"github.com/openledger/openledger/gpu/format/hf"
	"github.com/openledger/openledger/gpu/format/safetensors"
	"github.com/openledger/openledger/gpu/lm"
	"github.com/openledger/openledger/internal/content"
	"github.com/openledger/openledger/internal/merkle"
	"github.com/openledger/openledger/ledger/state"
	"github.com/openledger/openledger/ledger/task"
	"github.com/openledger/openledger/ledger/tx"
	"github.com/openledger/openledger/node/publish"
	"github.com/openledger/openledger/node/worker"
	"github.com/openledger/openledger/poa/payout"
	"github.com/openledger/openledger/rpc/api"
	"github.com/openledger/openledger/rpc/client"
)

// taskResult is what a task said about rows, or whose rows matter.
type taskResult struct {
	Task        api.Hash       `json:"task"`
	Kind        task.Kind      `json:"kind"`
	State       task.State     `json:"state"`
	Root        api.Hash       `json:"output_root"`
	Summary     *ask.Summary   `json:"summary,omitempty"` // of an evaluation
	Results     *ask.Results   `json:"results,omitempty"` // row by row
	Texts       []said         `json:"texts,omitempty"`   // answers to lines, as text
	Attribution *payout.Result `json:"attribution,omitempty"`
}

// said is a line and how the model went on.
type said struct {
	Line   string `json:"line"`
	Answer string `json:"answer"`
	Reason string `json:"reason"`
}

// result fetches what a task made and checks it against the ledger: the content by its
// id, and that by the root that the checkers found too.
func (a *app) result(ctx context.Context, id api.Hash, t task.Task) (taskResult, error) {
	r := taskResult{Task: id, Kind: t.Spec.Kind, State: t.State}
	if t.Output == nil {
		return r, &exitError{exitRefused, fmt.Errorf("task %s is %s: %w", id, t.State, worker.ErrNotCommitted)}
	}
	r.Root = t.Output.Verdict.OutputRoot
	blob, err := a.whole(ctx, t.Output.Content, t.Output.Bytes)
	if err != nil {
		return r, err
	}
	if t.Spec.Kind == task.Attribute {
		p, err := payout.DecodeResult(blob)
		if err == nil && p.Root() != r.Root {
			err = errors.New("the attribution is not what the ledger's root says")
		}
		if err != nil {
			return r, &exitError{exitNo, err}
		}
		r.Attribution = &p
		return r, nil
	}
	list, err := ask.Decode(blob)
	if err == nil && asked(list, t.Spec.Ask.Rows) != r.Root {
		err = errors.New("the results are not what the ledger's root says")
	}
	if err != nil {
		return r, &exitError{exitNo, err}
	}
	r.Results = &list
	if t.Spec.Kind == task.Evaluate {
		s := list.Summary()
		r.Summary = &s
	}
	if len(list.Said) > 0 {
		r.Texts, err = texts(ctx, a.client(), t.Spec, list.Said)
	}
	return r, err
}

// whole reads content of any size through a file.
func (a *app) whole(ctx context.Context, id content.ID, size uint64) ([]byte, error) {
	dir, err := os.MkdirTemp("", "openledger-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "blob")
	if err := a.client().Download(ctx, id, size, file, nil); err != nil {
		return nil, err
	}
	return os.ReadFile(file)
}

// asked is the root over results in segments of so many rows. Spec: TASK-01.
func asked(r ask.Results, rows uint64) [32]byte {
	var digests [][]byte
	for at := 0; at < r.Len(); at += int(rows) {
		d := content.Sum(segment(r, at, min(at+int(rows), r.Len())).Encode()).Hash()
		digests = append(digests, d[:])
	}
	return merkle.Root(digests)
}

// segment is a stretch of results, all of which have one form.
func segment(r ask.Results, from, to int) ask.Results {
	switch {
	case r.Answers != nil:
		return ask.Results{Answers: r.Answers[from:to]}
	case r.Judged != nil:
		return ask.Results{Judged: r.Judged[from:to]}
	case r.Scores != nil:
		return ask.Results{Scores: r.Scores[from:to]}
	}
	return ask.Results{Said: r.Said[from:to]}
}

// texts puts answers beside their lines, in the order that the rows have: that of the
// content ids of their datasets.
func texts(ctx context.Context, c *client.Client, spec task.Spec, list []ask.Said) ([]said, error) {
	o, err := c.ModelGet(ctx, api.IDParams{ID: spec.Model})
	if err != nil {
		return nil, err
	}
	folder, err := languageModel(ctx, c, spec.Model, o.Value)
	if err != nil {
		return nil, err
	}
	lines, err := linesOf(ctx, c, spec.Datasets)
	if err != nil {
		return nil, err
	}
	if len(lines) != len(list) {
		return nil, &exitError{exitNo, fmt.Errorf("%d results for %d lines", len(list), len(lines))}
	}
	out := make([]said, len(list))
	for i, s := range list {
		text, err := spoken(folder, s.Tokens)
		if err != nil {
			return nil, &exitError{exitNo, fmt.Errorf("row %d: %w", i, err)}
		}
		out[i] = said{string(lines[i]), text, s.Reason}
	}
	return out, nil
}

// spoken is the text of tokens, special ones left out.
func spoken(f *hf.Folder, ids []uint32) (string, error) {
	var b strings.Builder
	d := f.Tokenizer.Decoder(true)
	for _, id := range ids {
		text, err := d.Add(id)
		if err != nil {
			return "", err
		}
		b.WriteString(text)
	}
	return b.String() + d.Flush(), nil
}

// linesOf are the lines of texts, in the order of their content ids.
func linesOf(ctx context.Context, c *client.Client, ids []tx.ID) (lines [][]byte, err error) {
	sets := make([]state.Dataset, len(ids))
	for i, id := range ids {
		o, err := c.DatasetGet(ctx, api.IDParams{ID: id})
		if err != nil {
			return nil, err
		}
		sets[i] = o.Value
	}
	slices.SortFunc(sets, func(x, y state.Dataset) int { return bytes.Compare(x.Content[:], y.Content[:]) })
	for _, s := range sets {
		b, err := c.Blob(ctx, s.Content.String())
		if err != nil {
			return nil, err
		}
		d, err := publish.LoadData(s, b)
		if err != nil {
			return nil, &exitError{exitNo, err}
		}
		lines = append(lines, d.Text.Rows...)
	}
	return lines, nil
}

// save writes the result as JSON, and no half of it.
func (r taskResult) save(path string) error {
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return safetensors.WriteFile(path, func(w io.Writer) error { _, err := w.Write(append(b, '\n')); return err })
}

func (r taskResult) write(w io.Writer) {
	fmt.Fprintf(w, "task %s  %s  %s\n", r.Task, r.Kind, r.State)
	switch s := r.Summary; {
	case s != nil && len(r.Results.Judged) > 0:
		fmt.Fprintf(w, "%d of %d rows right (%.1f %%)  loss %.4f a row\n", s.Right, s.Rows, 100*float64(s.Right)/float64(s.Rows), s.Loss)
	case s != nil:
		fmt.Fprintf(w, "%d lines  %d tokens  loss %.4f a token  perplexity %.2f\n", s.Rows, s.Tokens, s.Loss, math.Exp(s.Loss))
	case r.Attribution != nil:
		for _, o := range r.Attribution.Owners {
			fmt.Fprintf(w, "%s  weight %d\n", o.Owner, o.Weight)
		}
	case len(r.Texts) > 0:
		for _, t := range r.Texts {
			fmt.Fprintf(w, "%s|%s  (%s)\n", t.Line, strings.ReplaceAll(t.Answer, "\n", " "), why(t))
		}
	default:
		for _, x := range r.Results.Answers {
			fmt.Fprintln(w, x.Label)
		}
	}
	fmt.Fprintf(w, "root %s\n", r.Root)
}

// why says why an answer ended.
func why(t said) string {
	if t.Answer == "" && t.Reason == string(lm.ReasonContext) {
		return "no answer: the line fills the context"
	}
	return t.Reason
}

func newTaskResultCmd(a *app) *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use: "result ID", Short: "Fetch what a task made, check it against the ledger and write it", Args: cobra.ExactArgs(1),
		Long: "A model or adapters become a folder, all else a JSON file: what the model said about each row, or the weight of each owner. Without --out\n" +
			"what is no model is shown.",
		Example: "  openledger task result 0x… --out ./nano\n  openledger task result 0x… --out answers.json",
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := api.ParseHash(args[0])
			if err != nil {
				return usage("%v", err)
			}
			o, err := a.client().TaskGet(cmd.Context(), api.IDParams{ID: id})
			if err != nil {
				return err
			}
			if out == "" && !makesModel(o.Value) {
				r, err := a.result(cmd.Context(), id, o.Value)
				if err != nil {
					return err
				}
				return a.print(cmd, r, r.write)
			}
			if out == "" {
				return usage("a model is written into a folder: say which with --out DIR")
			}
			s, err := a.saveResult(cmd.Context(), cmd, id, o.Value, out)
			if err != nil {
				return err
			}
			return a.print(cmd, s, s.write)
		},
	}
	cmd.Flags().StringVar(&out, "out", "", "folder of a model, or file for JSON")
	return cmd
}

func makesModel(t task.Task) bool { return t.Spec.Kind == task.Train || t.Spec.Kind == task.Learn }

// saveResult writes what a task made.
func (a *app) saveResult(ctx context.Context, cmd *cobra.Command, id api.Hash, t task.Task, out string) (saved, error) {
	if !makesModel(t) {
		r, err := a.result(ctx, id, t)
		if err != nil {
			return saved{}, err
		}
		return saved{Out: out, Kind: t.Spec.Kind.String(), Bytes: t.Output.Bytes, Root: r.Root.String()}, r.save(out)
	}
	if t.Output == nil {
		return saved{}, &exitError{exitRefused, fmt.Errorf("task %s is %s: %w", id, t.State, worker.ErrNotCommitted)}
	}
	return a.saveModel(ctx, cmd, object{t.Output.Content, t.Output.Bytes, t.Output.Verdict.OutputRoot}, t.Spec.Kind == task.Learn, out)
}
