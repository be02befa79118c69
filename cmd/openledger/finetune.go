// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/openledger/openledger/gpu/format/hf"
	"github.com/openledger/openledger/gpu/format/pack"
	"github.com/openledger/openledger/gpu/format/safetensors"
	"github.com/openledger/openledger/gpu/format/tokenizer"
	"github.com/openledger/openledger/gpu/learn"
	"github.com/openledger/openledger/gpu/lm"
	"github.com/openledger/openledger/gpu/train"
	"github.com/openledger/openledger/gpu/tune"
	"github.com/openledger/openledger/internal/fx"
	"github.com/openledger/openledger/poa/decoder"
)

// learnFlags are how a language model learns from a text.
type learnFlags struct {
	data, out                   string
	steps, batch, micro, tokens uint64
	epochs                      uint64
	rate                        float32
	seed                        uint64
	optimizer                   string
	dev                         deviceFlags
}

func (f *learnFlags) bind(cmd *cobra.Command, rate float32, tokens uint64) {
	fl := cmd.Flags()
	fl.StringVar(&f.data, "data", "", "text file to learn from")
	fl.StringVar(&f.out, "out", "", "folder of the result; the same command goes on after a stop")
	fl.Uint64Var(&f.steps, "steps", 0, "steps of training (default: --epochs)")
	fl.Uint64Var(&f.epochs, "epochs", 3, "how often the text is read")
	fl.Uint64Var(&f.batch, "batch", 8, "records of a step")
	fl.Uint64Var(&f.micro, "micro-batch", 0, "records at once: less takes less memory and changes no bit (default: --batch)")
	fl.Uint64Var(&f.tokens, "tokens", tokens, "tokens of a record")
	fl.Float32Var(&f.rate, "lr", rate, "highest learning rate; it rises for a tenth of the steps and then falls to 0")
	fl.StringVar(&f.optimizer, "optimizer", "adamw", "adamw or sgd")
}

const stateFile = "train-state.safetensors"

// spec describes training for a net in so many steps, of batch records each.
func (f *learnFlags) spec(net decoder.Net, batch, steps uint64) (decoder.Learn, error) {
	if steps < 1 || steps > decoder.MaxTaskSteps {
		return decoder.Learn{}, usage("%d steps; at least 1 and at most %d", steps, decoder.MaxTaskSteps)
	}
	l := decoder.Learn{Net: net, Seqs: batch, Tokens: f.tokens, Steps: steps, StepsPerSegment: (steps + 15) / 16, Seed: f.seed,
		Clip: fx.Bits(1), Rate: fx.Bits(f.rate), Warm: steps / 10}
	switch f.optimizer {
	case "adamw":
		l.Optimizer, l.Beta1, l.Beta2 = decoder.AdamW, fx.Bits(0.9), fx.Bits(0.95)
		l.Eps, l.Decay = fx.Bits(1e-8), fx.Bits(0.01)
	case "sgd":
		l.Optimizer, l.Momentum = decoder.SGD, fx.Bits(0.9)
	default:
		return l, usage("--optimizer %q: use adamw or sgd", f.optimizer)
	}
	return l, nil
}

// stepsFor is --steps, or those of --epochs over so many records.
func (f *learnFlags) stepsFor(records, batch uint64) uint64 {
	if f.steps > 0 {
		return f.steps
	}
	return max(1, f.epochs*((records+batch-1)/batch))
}

// job is a run over a text for a net with room for its records.
func (f *learnFlags) job(net decoder.Net, text []uint32) (tune.Job, error) {
	data, n, err := tune.Records(text, f.tokens)
	if err != nil {
		return tune.Job{}, fmt.Errorf("%s: %w", f.data, err)
	}
	batch := min(f.batch, n)
	if f.batch == 0 {
		return tune.Job{}, usage("--batch 0: a step takes one record at least")
	}
	l, err := f.spec(net, batch, f.stepsFor(n, batch))
	if err != nil {
		return tune.Job{}, err
	}
	spec := l.Step(n)
	if f.micro > 0 && f.micro < batch {
		for spec.Micro = f.micro; batch%spec.Micro != 0; {
			spec.Micro--
		}
	}
	return tune.Job{Spec: spec, Data: data, Rates: tune.Linear(f.rate, l.Warm, l.Steps), SegmentSteps: l.StepsPerSegment}, nil
}

type learned struct {
	Out       string  `json:"out"`
	Weights   uint64  `json:"weights"`
	Trained   uint64  `json:"trained"`
	Tokens    int     `json:"tokens"`
	Steps     uint64  `json:"steps"`
	Segments  uint64  `json:"segments"`
	Loss      float32 `json:"loss"`
	Root      string  `json:"root"`
	StateRoot string  `json:"state_root"`
	Program   string  `json:"program"`
	Seconds   float64 `json:"seconds"`
	Device    string  `json:"device"`
}

func (l learned) write(w io.Writer) {
	fmt.Fprintf(w, "%s  %d of %d weights trained on %d tokens in %d steps, %.1f s  loss %.4f\nroot of %d segments %s\ncomputed by %s\n",
		l.Out, l.Trained, l.Weights, l.Tokens, l.Steps, l.Seconds, l.Loss, l.Segments, l.Root, l.Device)
}

// learn runs a job on m and leaves the trainer open for the export.
func (a *app) learn(cmd *cobra.Command, m *lm.Model, j tune.Job, f *learnFlags) (*tune.Trainer, learned, error) {
	if err := os.MkdirAll(f.out, 0o755); err != nil {
		return nil, learned{}, err
	}
	spec := j.Spec
	spec.Micro = spec.Seqs
	g, err := spec.Graph()
	if err != nil {
		return nil, learned{}, err
	}
	t, err := tune.New(m, j)
	if err != nil {
		return nil, learned{}, err
	}
	start, progress := time.Now(), a.progress(cmd)
	res, err := t.Run(tune.Options{
		File: filepath.Join(f.out, stateFile),
		Stop: func() bool { return cmd.Context().Err() != nil },
		Step: func(done uint64, loss float32) {
			fmt.Fprintf(progress, "\rstep %d of %d  loss %.4f ", done, j.Spec.Steps, loss)
		},
	})
	fmt.Fprintln(progress)
	if errors.Is(err, train.ErrStopped) {
		err = fmt.Errorf("%w; the same command goes on from the last saved state", err)
	}
	if err != nil {
		_ = t.Close() // a lost device says the same once more
		return nil, learned{}, err
	}
	out := learned{Out: f.out, Weights: m.Config.Arch.Params(), Steps: j.Spec.Steps, Segments: res.Commitment.Segments, Loss: res.Loss,
		Root: fmt.Sprintf("0x%x", res.Commitment.Root), StateRoot: fmt.Sprintf("0x%x", res.StateRoot),
		Program: fmt.Sprintf("0x%x", g.ID()), Seconds: math.Round(time.Since(start).Seconds()*1000) / 1000,
		Device: m.Device().Info().Name}
	for _, p := range j.Spec.Trained() {
		out.Trained += p.Len()
	}
	for _, id := range j.Data {
		if id != tune.Ignored {
			out.Tokens++
		}
	}
	return t, out, nil
}

// export writes the model as a folder, and then forgets the state of the run.
func export(m *lm.Model, f *learnFlags, json []byte, l learned) error {
	list, err := m.Sources()
	if err != nil {
		return err
	}
	if err := hf.Save(f.out, m.Config, json, safetensors.Meta{Program: "openledger " + l.Program}, list, 4<<30); err != nil {
		return err
	}
	return os.Remove(filepath.Join(f.out, stateFile))
}

// tuneFlags are those of finetune.
type tuneFlags struct {
	learnFlags
	base         string
	lora         decoder.LoRA
	alpha        float32
	merged, int8 bool
}

func newFinetuneCmd(a *app) *cobra.Command {
	var f tuneFlags
	var t taskFlags
	var lora string
	cmd := &cobra.Command{
		Use: "finetune", Short: "Teach a language model a text, on this machine or as a task of the network", Args: cobra.NoArgs,
		Long: "With --data it reads a HuggingFace folder and a text and writes adapters in the layout of PEFT (--lora), the whole model with them merged\n" +
			"(--merged), or, without --lora, a model whose every weight was trained. Bits are the same on every machine and card. A run that was stopped\n" +
			"goes on with the same command. With --datanet or --dataset it posts a task: --base is then a model of the ledger, an operator computes,\n" +
			"drawn checkers replay, and what came out is written to --out if that is given.",
		Example: "  openledger finetune --base ./tinyllama --lora r=8 --data notes.txt --out ./tuned --merged\n" +
			"  openledger finetune --base ./tinyllama --lora r=16,alpha=32,targets=q+v --int8 --data notes.txt --out ./adapters --device 0\n" +
			"  openledger finetune --base tinyllama --lora r=8 --datanet books --budget 20 --out ./adapters",
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if f.lora, f.alpha, err = parseLoRA(lora); err != nil {
				return err
			}
			if f.int8 && (f.lora.Rank == 0 || f.merged) {
				return usage("--int8 needs --lora and cannot be --merged")
			}
			if t.posts() {
				return a.postFinetune(cmd, &t, &f)
			}
			if err := t.local(); err != nil {
				return err
			}
			return a.finetune(cmd, f)
		},
	}
	f.bind(cmd, 2e-4, 256)
	f.dev.bind(cmd)
	t.bind(cmd, "20")
	fl := cmd.Flags()
	fl.StringVar(&f.base, "base", "", "folder of the model, or name or id of one on the ledger (required)")
	fl.StringVar(&lora, "lora", "", "adapters: r=RANK[,alpha=A][,targets=q+k+v+o+gate+up+down]")
	fl.BoolVar(&f.merged, "merged", false, "with --lora: write the whole model instead of the adapters")
	fl.BoolVar(&f.int8, "int8", false, "with --lora: hold the base in fx/int8")
	fl.Uint64Var(&f.seed, "seed", 1, "seed of adapters and order of records")
	_ = cmd.MarkFlagRequired("base")
	return cmd
}

// finetune tunes a folder on this machine.
func (a *app) finetune(cmd *cobra.Command, f tuneFlags) error {
	if f.data == "" || f.out == "" {
		return usage("finetune takes --data FILE.txt and --out DIR on this machine, or --datanet NAME or --dataset ID as a task of the network")
	}
	if err := vacant(f.out); err != nil {
		return err
	}
	folder, err := openFolder(f.base)
	if err != nil {
		return err
	}
	defer folder.Close()
	text, err := readText(f.data)
	if err != nil {
		return err
	}
	ids, err := folder.Tokenizer.Encode(text, true)
	if err != nil {
		return fmt.Errorf("%s: %w", f.data, err)
	}
	d, err := f.dev.open(cmd.Context(), a.progress(cmd))
	if err != nil {
		return err
	}
	defer d.Close()
	f.tokens = min(f.tokens, uint64(folder.Config.Arch.Positions))
	net := lm.NetOf(folder.Config.Arch, f.tokens)
	net.Int8, net.LoRA = f.int8, f.lora
	j, err := f.job(net, ids)
	if err != nil {
		return err
	}
	return onState(d, f.out, func() error {
		m, err := lm.Load(d, folder, lm.Options{Context: f.tokens, Int8: f.int8})
		if err != nil {
			return err
		}
		t, out, err := a.learn(cmd, m, j, &f.learnFlags)
		if err != nil {
			return err
		}
		if f.lora.Rank > 0 && !f.merged {
			if err = t.SaveAdapters(f.out, filepath.Base(f.base), f.alpha); err == nil {
				err = os.Remove(filepath.Join(f.out, stateFile))
			}
		} else {
			if f.merged && f.lora.Rank > 0 {
				err = t.Merge()
			}
			if err == nil {
				err = export(m, &f.learnFlags, folder.JSON, out)
			}
		}
		if err != nil {
			return err
		}
		return a.print(cmd, out, out.write)
	})
}

// parseLoRA reads r=8,alpha=16,targets=q+v; alpha is 2·r if it is not given.
func parseLoRA(s string) (decoder.LoRA, float32, error) {
	if s == "" {
		return decoder.LoRA{}, 0, nil
	}
	var r uint64
	var alpha float64
	var targets []string
	for part := range strings.SplitSeq(s, ",") {
		name, v, _ := strings.Cut(part, "=")
		var err error
		switch name {
		case "r":
			r, err = strconv.ParseUint(v, 10, 16)
		case "alpha":
			alpha, err = strconv.ParseFloat(v, 32)
		case "targets":
			targets = strings.Split(v, "+")
		default:
			err = errors.New("unknown")
		}
		if err != nil {
			return decoder.LoRA{}, 0, usage("--lora %q: %q: write r=8,alpha=16,targets=q+v", s, part)
		}
	}
	if alpha == 0 {
		alpha = 2 * float64(r)
	}
	if r < 1 || r > decoder.MaxRank || !(alpha > 0 && alpha <= 1<<20) {
		return decoder.LoRA{}, 0, usage("--lora %q: r is 1 to %d, alpha above 0", s, decoder.MaxRank)
	}
	return pack.LoRA(r, float32(alpha), targets), float32(alpha), nil
}

// nanoNet is gpt-nano for a vocabulary and texts of so many tokens: about 0.2 million
// weights.
func nanoNet(vocab int, tokens uint64) decoder.Net {
	return decoder.Net{Arch: decoder.Arch{Layers: 3, Hidden: 64, Inner: 192, Heads: 4, KVHeads: 2, HeadDim: 16,
		Vocab: uint64(vocab), Positions: tokens, Eps: fx.Bits(1e-5), Tied: true}}
}

func checkNano(f *learnFlags, vocab int) error {
	switch {
	case vocab < 258 || vocab > 4096:
		return usage("--vocab %d: 258 to 4096", vocab)
	case f.tokens < 1 || f.tokens > 1024:
		return usage("--tokens %d: 1 to 1024", f.tokens)
	}
	return nil
}

// trainNano trains gpt-nano from nothing: a tokenizer and weights for one text.
func (a *app) trainNano(cmd *cobra.Command, f learnFlags, vocab int) error {
	if f.data == "" || f.out == "" {
		return usage("--model gpt-nano takes --data FILE.txt and --out DIR on this machine, or --datanet NAME or --dataset ID as a task of the network")
	}
	if err := checkNano(&f, vocab); err != nil {
		return err
	}
	if err := vacant(f.out); err != nil {
		return err
	}
	text, err := readText(f.data)
	if err != nil {
		return err
	}
	json := learn.Vocabulary([]string{text}, vocab)
	tok, err := tokenizer.Parse(json)
	if err != nil {
		return err
	}
	ids, err := tok.Encode(text, true)
	if err != nil {
		return fmt.Errorf("%s: %w", f.data, err)
	}
	net := nanoNet(tok.Size(), f.tokens)
	j, err := f.job(net, ids)
	if err != nil {
		return err
	}
	d, err := f.dev.open(cmd.Context(), a.progress(cmd))
	if err != nil {
		return err
	}
	defer d.Close()
	return onState(d, f.out, func() error {
		m, err := lm.Init(d, learn.ConfigOf(net.Arch), f.seed, lm.Options{})
		if err != nil {
			return err
		}
		_, out, err := a.learn(cmd, m, j, &f)
		if err == nil {
			err = export(m, &f, json, out)
		}
		if err != nil {
			return err
		}
		return a.print(cmd, out, out.write)
	})
}
