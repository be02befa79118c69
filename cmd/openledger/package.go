// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/openledger/openledger/gpu/format/hf"
	"github.com/openledger/openledger/gpu/format/pack"
	"github.com/openledger/openledger/gpu/format/safetensors"
	"github.com/openledger/openledger/gpu/model"
	"github.com/openledger/openledger/internal/content"
	"github.com/openledger/openledger/ledger/state"
	"github.com/openledger/openledger/ledger/tx"
	"github.com/openledger/openledger/rpc"
	"github.com/openledger/openledger/rpc/api"
	"github.com/openledger/openledger/rpc/client"
)

// sent is a package that a node has.
type sent struct {
	root    [32]byte
	content content.ID
	bytes   uint64
}

// maxPackage is a little less than what a node takes in one upload.
const maxPackage = rpc.MaxUpload - 1<<30

// sendPackage streams a package to the node; nothing of it is held in memory or
// written to disk here.
func sendPackage(ctx context.Context, c *client.Client, p *pack.Package, progress io.Writer) (sent, error) {
	pr, pw := io.Pipe()
	h, count := content.NewHasher(), &meter{w: progress}
	for _, t := range p.Weights.Tensors {
		count.total += t.Bytes()
	}
	if count.total > maxPackage {
		return sent{}, usage("the model has %.1f GiB of weights; a node takes %d GiB", float64(count.total)/(1<<30), maxPackage>>30)
	}
	fmt.Fprint(progress, "reading the weights ")
	var root [32]byte
	ended := make(chan error, 1)
	go func() {
		var err error
		root, err = p.Write(io.MultiWriter(pw, h, count))
		ended <- errors.Join(err, pw.CloseWithError(err))
	}()
	id, err := c.Upload(ctx, pr)
	_ = pr.CloseWithError(errors.New("the upload ended"))
	if e := <-ended; err == nil {
		err = e
	}
	fmt.Fprintln(progress)
	if err == nil && id != h.ID().String() {
		err = fmt.Errorf("%w: it stored %s, not %s", client.ErrContent, id, h.ID())
	}
	return sent{root, h.ID(), count.n}, err
}

// meter counts bytes that pass, of about total.
type meter struct {
	w        io.Writer
	n, total uint64
}

// Write implements io.Writer.
func (m *meter) Write(p []byte) (int, error) {
	before := m.n >> 22
	if m.n += uint64(len(p)); m.n>>22 != before { // every 4 MiB
		fmt.Fprintf(m.w, "\rsent %d of %d MiB ", m.n>>20, m.total>>20)
	}
	return len(p), nil
}

// object is content that the ledger names with its root.
type object struct {
	Content content.ID
	Bytes   uint64
	Root    [32]byte
}

// saved says what a command wrote.
type saved struct {
	Out   string `json:"out"`
	Kind  string `json:"kind"` // model, adapters, table model, answers, …
	Bytes uint64 `json:"bytes"`
	Root  string `json:"root"`
}

func (s saved) write(w io.Writer) {
	fmt.Fprintf(w, "%s  %s, %d bytes, verified\nroot %s\n", s.Out, s.Kind, s.Bytes, s.Root)
}

// saveModel fetches a model, checks it against the ledger and writes it as a folder. A
// download that was broken off goes on with the same command.
func (a *app) saveModel(ctx context.Context, cmd *cobra.Command, o object, language bool, out string) (saved, error) {
	s := saved{Out: out, Bytes: o.Bytes, Root: fmt.Sprintf("0x%x", o.Root)}
	if err := vacant(out); err != nil {
		return s, err
	}
	if !language {
		s.Kind = "model of tables"
		return s, a.saveTableModel(ctx, o, out)
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return s, err
	}
	file := filepath.Join(out, o.Content.String()+".package")
	err := a.download(ctx, cmd, o, file)
	if err != nil {
		return s, err
	}
	s.Kind, err = unpack(file, o.Root, out)
	var no *exitError
	if err == nil || errors.As(err, &no) { // else a disk that is full, for example
		err = errors.Join(err, os.Remove(file))
	}
	return s, err
}

// vacant wants a folder that holds neither a model nor adapters.
func vacant(out string) error {
	err := safetensors.Vacant(out)
	if _, e := os.Lstat(filepath.Join(out, pack.AdapterWeights)); e == nil {
		err = fmt.Errorf("%s holds adapters; choose another folder", out)
	}
	if err != nil {
		return &exitError{exitUsage, err}
	}
	return nil
}

// download fetches content into a file that a former try may have begun or finished.
func (a *app) download(ctx context.Context, cmd *cobra.Command, o object, file string) error {
	if _, err := os.Lstat(file); err == nil { // it has its name since all of it was there
		return nil
	}
	progress := a.progress(cmd)
	fmt.Fprint(progress, "waiting for the node ")
	shown := uint64(0)
	err := patiently(progress, func() error {
		return a.client().Download(ctx, o.Content, o.Bytes, file, func(done, total uint64) {
			if done>>22 != shown || done == total { // every 4 MiB
				shown = done >> 22
				fmt.Fprintf(progress, "\rfetched %d of %d MiB ", done>>20, total>>20)
			}
		})
	})
	fmt.Fprintln(progress)
	switch {
	case err != nil && ctx.Err() != nil:
		err = fmt.Errorf("%w: stopped; the same command goes on with what has come", ctx.Err())
	case errors.Is(err, client.ErrUnreachable):
		err = fmt.Errorf("%w; the same command goes on with what has come", err)
	}
	return err
}

// patiently tries again as long as the node is at work to get what was asked for: it
// asks its peers for a minute at a time before it says that there is no such content.
func patiently(progress io.Writer, try func() error) error {
	for {
		began := time.Now()
		err := try()
		var none *api.Error
		if !errors.As(err, &none) || none.Code != api.CodeNotFound || time.Since(began) < 30*time.Second {
			return err
		}
		fmt.Fprint(progress, "\rthe node still fetches it from its peers ")
	}
}

// unpack writes the folder of a package.
func unpack(file string, root [32]byte, out string) (kind string, err error) {
	p, err := pack.Open(file)
	if err != nil {
		return "", &exitError{exitNo, err}
	}
	defer p.Close()
	got, err := p.Root()
	if err != nil {
		return "", err
	}
	if got != root {
		return "", &exitError{exitNo, fmt.Errorf("the package has root 0x%x, the ledger says 0x%x", got, root)}
	}
	if kind = "model"; p.Adapters != nil {
		kind = "adapters"
	}
	return kind, p.Extract(out)
}

// saveTableModel writes the weights of a model of tables as safetensors.
func (a *app) saveTableModel(ctx context.Context, o object, out string) error {
	blob, err := a.client().Blob(ctx, o.Content.String())
	if err != nil {
		return err
	}
	w, err := model.Decode(blob)
	if err == nil && w.Root() != o.Root {
		err = fmt.Errorf("the weights have root 0x%x, the ledger says 0x%x", w.Root(), o.Root)
	}
	if err != nil {
		return &exitError{exitNo, err}
	}
	var list []safetensors.Source
	for _, t := range w.Tensors {
		list = append(list, safetensors.Float32s(t.Name, t.Shape, t.Data))
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	x := w.Arch
	meta := safetensors.Meta{Program: fmt.Sprintf("openledger %s features=%d classes=%d hidden=%d scale=%d", x.Model, x.Features, x.Classes, x.Hidden, x.Scale), Root: o.Root}
	return safetensors.SaveFolder(out, meta, list, 4<<30)
}

// isLanguage says whether a model is a language model, or adapters of one.
func isLanguage(m state.Model) bool { return m.AttrMethod == tx.NoAttribution }

// kindOf says in words what a model is.
func kindOf(m state.Model) string {
	switch {
	case !isLanguage(m):
		return "model of tables"
	case m.Base != tx.ID{}:
		return "adapters"
	}
	return "language model"
}

// languageModel finds a language model of the ledger and reads its architecture and
// tokenizer from the node, not its weights; of adapters those of their base. What it
// reads is checked only when the model is fetched.
func languageModel(ctx context.Context, c *client.Client, id api.Hash, m state.Model) (*hf.Folder, error) {
	if m.Base != (tx.ID{}) {
		o, err := c.ModelGet(ctx, api.IDParams{ID: m.Base})
		if err != nil {
			return nil, err
		}
		id, m = m.Base, o.Value
	}
	var p *pack.Package
	err := patiently(io.Discard, func() (err error) {
		p, err = pack.New(c.BlobAt(ctx, m.Weights), int64(m.Bytes))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("model %s: %w", id, err)
	}
	return p.Model()
}

func newModelExportCmd(a *app) *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use: "export MODEL", Short: "Fetch a model, check it against the ledger and write it as a folder", Args: cobra.ExactArgs(1),
		Long: "A language model becomes a HuggingFace folder, adapters a folder in the layout of PEFT, a model of tables a safetensors file. Nothing is\n" +
			"written as a model that the ledger's root does not hold for. A download that was broken off goes on with the same command.",
		Example: "  openledger model export nano --out ./nano\n  openledger generate --model ./nano --prompt \"The ledger\"",
		RunE: func(cmd *cobra.Command, args []string) error {
			c, ctx := a.client(), cmd.Context() // a large model takes longer than --timeout
			id, err := findModel(ctx, c, args[0])
			if err != nil {
				return err
			}
			o, err := c.ModelGet(ctx, api.IDParams{ID: id})
			if err != nil {
				return err
			}
			m := o.Value
			s, err := a.saveModel(ctx, cmd, object{m.Weights, m.Bytes, m.WeightsRoot}, isLanguage(m), out)
			if err != nil {
				return err
			}
			return a.print(cmd, s, func(w io.Writer) {
				s.write(w)
				if m.Base != (tx.ID{}) {
					fmt.Fprintf(w, "of model %s: export that too, and use generate --model BASE --adapters %s\n", m.Base, out)
				}
			})
		},
	}
	cmd.Flags().StringVar(&out, "out", "", "folder to write (required)")
	_ = cmd.MarkFlagRequired("out")
	return cmd
}
