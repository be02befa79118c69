// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/openledger/openledger/gpu/format/hf"
	"github.com/openledger/openledger/gpu/format/tokenizer"
	"github.com/openledger/openledger/gpu/lm"
	"github.com/openledger/openledger/gpu/tune"
)

func newGenerateCmd(a *app) *cobra.Command {
	var f generateFlags
	var q askFlags
	cmd := &cobra.Command{
		Use: "generate", Short: "Continue a text with a language model, on this machine or as a task of the network", Args: cobra.NoArgs,
		Long: "Loads a HuggingFace folder (Llama, Mistral, Qwen2) and writes the answer as it comes. No network, no node. Equal model, prompt, settings\n" +
			"and seed give the same answer on every machine and card. With --chat the prompt is a message in the model's own style.\n" +
			"With --dataset or --datanet it posts a task instead: a model of the ledger answers every row, a line of a text by its continuation, a row of\n" +
			"a table by a label; drawn checkers do it again, and only equal roots settle.",
		Example: "  openledger generate --model ./tinyllama --prompt \"The ledger\" --max-tokens 64 --temperature 0.8 --seed 1\n" +
			"  openledger generate --model ./tinyllama --prompt \"What is a ledger?\" --chat --int8 --device auto\n" +
			"  openledger generate --model nano --dataset 0x… --max-tokens 32 --out answers.json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.s.Check(); err != nil {
				return usage("%v", err)
			}
			if !q.posts() {
				if err := q.local("out"); err != nil {
					return err
				}
				return a.generate(cmd, f)
			}
			if err := notHere(cmd); err != nil {
				return err
			}
			if f.max == 0 {
				return usage("--max-tokens 0: an answer has at least one token; `openledger evaluate` judges without one")
			}
			q.model, q.context = f.model, f.context
			return a.ask(cmd, &q, f.sampled())
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&f.model, "model", "", "folder of the model, or name or id of one on the ledger (required)")
	fl.StringVar(&f.prompt, "prompt", "", "the text to continue")
	fl.StringVar(&q.out, "out", "", "of a task: file for the answers, as JSON")
	fl.Uint64Var(&f.max, "max-tokens", 128, "most tokens of the answer")
	fl.Float32Var(&f.s.Temperature, "temperature", 0, "0: always the most probable token; 1: as the model says")
	fl.Uint32Var(&f.s.TopK, "top-k", 0, "choose among so many tokens (0: all)")
	fl.Float32Var(&f.s.TopP, "top-p", 0, "choose among the most probable tokens up to this sum (0: all)")
	fl.Uint64Var(&f.s.Seed, "seed", 1, "seed of the choice")
	fl.Uint64Var(&f.context, "context", 4096, "most tokens of prompt and answer")
	fl.BoolVar(&f.int8, "int8", false, "hold the weights in fx/int8: a quarter of the memory, other bits")
	fl.StringVar(&f.adapters, "adapters", "", "folder of adapters (PEFT) that finetune made for this model")
	fl.BoolVar(&f.chat, "chat", false, "the prompt is a message of a conversation")
	fl.StringVar(&f.template, "chat-template", "", "plain, chatml or llama3 (default: the model's)")
	f.dev.bind(cmd)
	q.bind(cmd, "5")
	_ = cmd.MarkFlagRequired("model")
	return cmd
}

type generateFlags struct {
	model, prompt, template string
	adapters                string
	max, context            uint64
	s                       lm.Sampling
	int8, chat              bool
	dev                     deviceFlags
}

type generated struct {
	Text            string    `json:"text"`
	Reason          lm.Reason `json:"reason"`
	PromptTokens    int       `json:"prompt_tokens"`
	Tokens          []uint32  `json:"tokens"`
	Device          string    `json:"device"`
	TokensPerSecond float64   `json:"tokens_per_second"`
}

func (a *app) generate(cmd *cobra.Command, f generateFlags) (err error) {
	if !cmd.Flags().Changed("prompt") {
		return usage("--prompt TEXT is the text to continue; --dataset ID asks a model of the ledger about every row")
	}
	folder, err := openFolder(f.model)
	if err != nil {
		return err
	}
	defer folder.Close()
	prompt, err := f.tokens(folder)
	if err != nil {
		return err
	}
	d, err := f.dev.open(cmd.Context(), a.progress(cmd))
	if err != nil {
		return err
	}
	defer d.Close()
	defer func() { err = lost(err, d, nil) }()
	m, err := lm.Load(d, folder, lm.Options{Context: f.context, Int8: f.int8})
	if err != nil {
		return err
	}
	if f.adapters != "" {
		if err := tune.Apply(m, f.adapters); err != nil {
			return err
		}
	}
	s, err := m.Session(0)
	if err != nil {
		return err
	}
	out := generated{PromptTokens: len(prompt), Tokens: []uint32{}, Device: d.Info().Name}
	var first time.Time
	emit, rest := lm.Texts(folder.Tokenizer, func(id uint32, text string) error {
		if len(out.Tokens) == 0 {
			first = time.Now()
		}
		out.Text, out.Tokens = out.Text+text, append(out.Tokens, id)
		if a.output == "text" {
			fmt.Fprint(clean{cmd.OutOrStdout()}, text)
		}
		return context.Cause(cmd.Context())
	})
	if out.Reason, err = s.Generate(lm.Request{Prompt: prompt, Max: f.max, Sampling: f.s}, emit); err != nil {
		return err
	}
	left := rest()
	out.Text += left
	if n := len(out.Tokens); n > 1 {
		out.TokensPerSecond = float64(n-1) / time.Since(first).Seconds()
	}
	return a.print(cmd, out, func(w io.Writer) { fmt.Fprintln(w, left) })
}

// openFolder opens a model's folder.
func openFolder(path string) (*hf.Folder, error) {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, &exitError{exitNotFound, fmt.Errorf("no folder %s; a model of the ledger becomes one with `openledger model export NAME --out %s`", path, path)}
	}
	return hf.Open(path)
}

// tokens are the ids of the prompt.
func (f *generateFlags) tokens(folder *hf.Folder) ([]uint32, error) {
	if !f.chat {
		return folder.Tokenizer.Encode(f.prompt, true)
	}
	chat := folder.Chat
	if f.template != "" {
		c, err := hf.ChatOf(f.template)
		if err != nil {
			return nil, usage("--chat-template: %v", err)
		}
		chat = c
	}
	if chat.Style == hf.StyleUnknown {
		return nil, usage("the folder has no chat template that is known: choose one with --chat-template")
	}
	text, err := chat.Render([]hf.Message{{Role: "user", Content: f.prompt}}, true)
	if err != nil {
		return nil, err
	}
	return folder.Tokenizer.Encode(text, false)
}

func newModelImportCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "import DIR", Short: "Check a HuggingFace folder and say what it is", Args: cobra.ExactArgs(1),
		Long: "Reads config.json, tokenizer.json and every weight, offline. Whatever would make the model compute something else than it says is an error\n" +
			"that names the field. The root stands for all weights: equal roots are equal models.",
		Example: "  openledger model import ./tinyllama",
		RunE: func(cmd *cobra.Command, args []string) error {
			f, err := openFolder(args[0])
			if err != nil {
				return err
			}
			defer f.Close()
			out, err := describeModel(f)
			if err != nil {
				return err
			}
			return a.print(cmd, out, func(w io.Writer) {
				fmt.Fprintf(w, "weights %d  layers %d  width %d  heads %d over %d  vocabulary %d  positions %d\nroot %s\nmemory %.1f MiB in fx/1, %.1f MiB in fx/int8\nchat template %s\n",
					out.Weights, out.Layers, out.Hidden, out.Heads, out.KVHeads, out.Vocab, out.Positions, out.Root,
					float64(out.Bytes)/(1<<20), float64(out.BytesInt8)/(1<<20), out.Chat)
			})
		},
	}
}

type imported struct {
	Root      string `json:"root"`
	Weights   uint64 `json:"weights"`
	Layers    uint32 `json:"layers"`
	Hidden    uint32 `json:"hidden"`
	Inner     uint32 `json:"inner"`
	Heads     uint32 `json:"heads"`
	KVHeads   uint32 `json:"kv_heads"`
	Vocab     uint32 `json:"vocab"`
	Positions uint32 `json:"positions"`
	Tied      bool   `json:"tied"`
	Chat      string `json:"chat"`
	Bytes     uint64 `json:"bytes"`
	BytesInt8 uint64 `json:"bytes_int8"`
}

func describeModel(f *hf.Folder) (imported, error) {
	root, err := f.File.Root()
	if err != nil {
		return imported{}, err
	}
	arch := f.Config.Arch
	net := lm.NetOf(arch, 0)
	out := imported{Root: fmt.Sprintf("0x%x", root), Weights: arch.Params(), Layers: arch.Layers, Hidden: arch.Hidden, Inner: arch.Inner,
		Heads: arch.Heads, KVHeads: arch.KVHeads, Vocab: arch.Vocab, Positions: arch.Positions, Tied: arch.Tied, Bytes: net.Bytes()}
	net.Int8 = true
	out.BytesInt8 = net.Bytes()
	out.Chat = [...]string{"unknown", "plain", "chatml", "llama3"}[f.Chat.Style]
	return out, nil
}

// readText reads a file to learn from.
func readText(path string) (string, error) {
	b, err := readAtMost(path, tokenizer.MaxText)
	if err != nil {
		return "", err
	}
	if len(strings.TrimSpace(string(b))) == 0 {
		return "", fmt.Errorf("%s is empty: there is nothing to learn", path)
	}
	return string(b), nil
}

func readAtMost(path string, most int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(b)) > most {
		err = errors.New("larger than " + strconv.FormatInt(most>>20, 10) + " MiB; cut it into parts")
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return b, nil
}
