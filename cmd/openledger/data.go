// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/internal/table"
	"github.com/openledger/openledger/ledger/genesis"
	"github.com/openledger/openledger/ledger/state"
	"github.com/openledger/openledger/ledger/tx"
	"github.com/openledger/openledger/node/publish"
	"github.com/openledger/openledger/rpc/api"
	"github.com/openledger/openledger/rpc/client"
)

func newDatanetCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{Use: "datanet", Short: "Create and list registries of datasets", Args: cobra.NoArgs}
	cmd.AddCommand(newDatanetCreateCmd(a), newDatanetListCmd(a))
	return cmd
}

func newDatanetCreateCmd(a *app) *cobra.Command {
	var stake string
	cmd := &cobra.Command{
		Use: "create NAME", Short: "Create an open Datanet under CC-BY-4.0 terms", Args: cobra.ExactArgs(1),
		Example: "  openledger datanet create digits --stake 1",
		RunE: func(cmd *cobra.Command, args []string) error {
			base, err := fixed.ParseAmount(stake)
			if err != nil {
				return err
			}
			terms := genesis.CCBY4().ID()
			payload := &tx.DatanetCreate{Name: args[0], Terms: []tx.ID{terms}, StakeBase: base}
			return a.signAndCreate(cmd, payload, "datanet")
		},
	}
	cmd.Flags().StringVar(&stake, "stake", "1", "least stake of a dataset in OPEN")
	return cmd
}

// created is the answer of commands that make an object.
type created struct {
	ID     api.Hash     `json:"id"`
	TxID   api.Hash     `json:"txid"`
	Height uint64       `json:"height"`
	Fee    fixed.Amount `json:"fee"`
}

// create submits a payload that makes one object and returns the object's id.
func (a *app) create(ctx context.Context, key keys.PrivateKey, payload tx.Payload) (created, error) {
	return newCreated(a.client().Create(ctx, key, payload))
}

func newCreated(c client.Created, err error) (created, error) {
	if err != nil {
		return created{}, err
	}
	return created{ID: c.ID, TxID: c.TxID, Height: c.Height, Fee: c.Receipt.Fee}, nil
}

// signAndCreate is the common end of commands that make one object.
func (a *app) signAndCreate(cmd *cobra.Command, payload tx.Payload, what string) error {
	if err := payload.Check(); err != nil {
		return usage("%v", err)
	}
	key, err := a.signer(cmd)
	if err != nil {
		return err
	}
	return a.call(cmd, func(ctx context.Context) error {
		c, err := a.create(ctx, key, payload)
		if err != nil {
			return err
		}
		return a.print(cmd, c, func(w io.Writer) {
			fmt.Fprintf(w, "%s %s  final at %d  fee %s\n", what, c.ID, c.Height, c.Fee)
		})
	})
}

func newDatanetListCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List Datanets", Args: cobra.NoArgs,
		Example: "  openledger datanet list",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.call(cmd, func(ctx context.Context) error {
				l, err := all(ctx, a.client().DatanetList)
				if err != nil {
					return err
				}
				return a.print(cmd, l, func(w io.Writer) {
					for _, it := range l.Items {
						fmt.Fprintf(w, "%s  %-24s stake %s\n", it.ID, it.Value.Name, it.Value.StakeBase)
					}
				})
			})
		},
	}
}

// all reads every page of a listing, at most 100,000 objects.
func all[T any](ctx context.Context, page func(context.Context, api.Page) (api.List[T], error)) (api.List[T], error) {
	out := api.List[T]{Items: []api.Item[T]{}}
	p := api.Page{Limit: 1_000}
	for range 100 {
		l, err := page(ctx, p)
		if err != nil {
			return out, err
		}
		out.Items = append(out.Items, l.Items...)
		if p.Cursor = l.Next; p.Cursor == "" {
			break
		}
	}
	return out, nil
}

func newDataCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{Use: "data", Short: "Publish, list and fetch datasets", Args: cobra.NoArgs,
		Long: "A dataset is a table or a text. A table is a CSV file: integer features 0 to 255, last column an integer label, an optional header\n" +
			"line. A text is UTF-8, at most 64 MiB; its rows are the lines that are not blank."}
	cmd.AddCommand(newDataPublishCmd(a), newDataListCmd(a), newDataShowCmd(a), newDataGetCmd(a))
	return cmd
}

type publishFlags struct {
	datanet, name, source, stake string
	text                         bool
}

type published struct {
	created
	Content string   `json:"content_cid"`
	RowRoot api.Hash `json:"row_root"`
	Rows    uint64   `json:"rows"`
}

func newDataPublishCmd(a *app) *cobra.Command {
	var f publishFlags
	cmd := &cobra.Command{
		Use: "publish FILE", Short: "Publish a CSV file or a text as a dataset under CC-BY-4.0 terms", Args: cobra.ExactArgs(1),
		Long: "A file that ends in .txt, .text or .md is a text, for language models; any other is a table, unless --text is given.",
		Example: "  openledger data publish digits.csv --datanet digits --source \"Alpaydin & Kaynak, CC BY 4.0\"\n" +
			"  openledger data publish book.txt --datanet books --source \"Jane Doe, CC BY 4.0\"",
		RunE: func(cmd *cobra.Command, args []string) error {
			if !cmd.Flags().Changed("text") {
				f.text = slices.Contains([]string{".txt", ".text", ".md"}, strings.ToLower(filepath.Ext(args[0])))
			}
			file, err := readData(args[0])
			if err != nil {
				return err
			}
			key, err := a.signer(cmd)
			if err != nil {
				return err
			}
			return a.call(cmd, func(ctx context.Context) error {
				p, err := a.publish(ctx, key, args[0], file, f)
				if err != nil {
					return err
				}
				return a.print(cmd, p, func(w io.Writer) {
					fmt.Fprintf(w, "dataset %s  %d %s  root %s\ncontent %s  final at %d  fee %s\n", p.ID, p.Rows, rowsWord(f.text), p.RowRoot, p.Content, p.Height, p.Fee)
				})
			})
		},
	}
	cmd.Flags().StringVar(&f.datanet, "datanet", "", "name or id of the Datanet (required)")
	cmd.Flags().StringVar(&f.name, "name", "", "name of the dataset (default: the file's name)")
	cmd.Flags().StringVar(&f.source, "source", "", "attribution line: who made the data, and its licence")
	cmd.Flags().StringVar(&f.stake, "stake", "", "stake in OPEN (default: the Datanet's least)")
	cmd.Flags().BoolVar(&f.text, "text", false, "the file is a text (default: by its name)")
	_ = cmd.MarkFlagRequired("datanet")
	return cmd
}

// readData reads a file that the ledger's limits allow.
func readData(path string) ([]byte, error) {
	fi, err := os.Stat(path)
	if err != nil {
		return nil, usage("%v", err)
	}
	if fi.Size() > 64<<20 {
		return nil, usage("%s has %d bytes; a dataset has at most 64 MiB, so publish it in parts", path, fi.Size())
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, usage("%v", err)
	}
	return b, nil
}

// publish uploads the bytes to the node, registers the dataset and announces it.
func (a *app) publish(ctx context.Context, key keys.PrivateKey, file string, b []byte, f publishFlags) (published, error) {
	c := a.client()
	datanet, net, err := findDatanet(ctx, c, f.datanet)
	if err != nil {
		return published{}, err
	}
	stake := net.StakeBase
	if f.stake != "" {
		if stake, err = fixed.ParseAmount(f.stake); err != nil {
			return published{}, err
		}
	}
	name := f.name
	if name == "" {
		name = strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))
	}
	prepare := publish.Prepare
	if f.text {
		prepare = publish.PrepareText
	}
	m, err := prepare(file, b, publish.Input{Name: name, Source: f.source, Terms: net.Terms[0], Owner: keys.SingleAuth(key.Public()).Address()})
	var bad *table.Error
	var noText *publish.TextError
	if errors.As(err, &bad) || errors.As(err, &noText) {
		return published{}, usage("%v", err)
	}
	if err != nil {
		return published{}, err
	}
	out, err := newCreated(publish.Publish(ctx, c, key, m, b, datanet, stake))
	return published{created: out, Content: m.Content.String(), RowRoot: m.RowRoot, Rows: m.Rows}, err
}

func findDatanet(ctx context.Context, c *client.Client, name string) (api.Hash, state.Datanet, error) {
	if id, err := api.ParseHash(name); err == nil {
		o, err := c.DatanetGet(ctx, api.IDParams{ID: id})
		return id, o.Value, err
	}
	l, err := all(ctx, c.DatanetList)
	if err != nil {
		return api.Hash{}, state.Datanet{}, err
	}
	for _, it := range l.Items {
		if it.Value.Name == name {
			return it.ID, it.Value, nil
		}
	}
	return api.Hash{}, state.Datanet{}, &exitError{exitNotFound, fmt.Errorf("no Datanet %q; see `openledger datanet list`, or make it with `openledger datanet create %s`", name, name)}
}

func newDataListCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List datasets", Args: cobra.NoArgs,
		Example: "  openledger data list",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.call(cmd, func(ctx context.Context) error {
				c := a.client()
				l, err := all(ctx, func(ctx context.Context, p api.Page) (api.List[state.Dataset], error) {
					return c.DatasetList(ctx, api.DatasetListParams{Page: p})
				})
				if err != nil {
					return err
				}
				return a.print(cmd, l, func(w io.Writer) {
					for _, it := range l.Items {
						fmt.Fprintf(w, "%s  %-20s %6d %s  %s\n", it.ID, it.Value.Name, it.Value.Rows, rowsWord(isText(it.Value)), it.Value.Owner)
					}
				})
			})
		},
	}
}

// sizeOf says in words how large a dataset is.
func sizeOf(d state.Dataset) string {
	if isText(d) {
		return fmt.Sprintf("text  lines %d  bytes %d", d.Rows, d.Bytes)
	}
	return fmt.Sprintf("rows %d  features %d  bytes %d", d.Rows, d.Features, d.Bytes)
}

// rowsWord is the word for the rows of a text or a table.
func rowsWord(text bool) string {
	if text {
		return "lines"
	}
	return "rows"
}

func newDataShowCmd(a *app) *cobra.Command {
	var prove bool
	cmd := &cobra.Command{
		Use: "show ID", Short: "Show a dataset, its manifest and who provides it", Args: cobra.ExactArgs(1),
		Example: "  openledger data show 0x… --prove --output json",
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := api.ParseHash(args[0])
			if err != nil {
				return usage("%v", err)
			}
			return a.call(cmd, func(ctx context.Context) error {
				c := a.client()
				o, err := c.DatasetGet(ctx, api.IDParams{ID: id, Prove: prove})
				if err != nil {
					return err
				}
				m, err := c.DatasetManifest(ctx, api.IDParams{ID: id})
				var missing *api.Error
				if err != nil && !(errors.As(err, &missing) && missing.Code == api.CodeNotFound) {
					return err
				}
				v := struct {
					api.Object[state.Dataset]
					Manifest *api.DatasetManifest `json:"manifest,omitempty"`
				}{Object: o}
				if err == nil {
					v.Manifest = &m
				}
				return a.print(cmd, v, func(w io.Writer) {
					d := o.Value
					fmt.Fprintf(w, "%s  %s\nowner %s\n%s\ncontent %s\nrow root %s\n", id, d.Name, d.Owner, sizeOf(d), d.Content, d.RowRoot)
					if v.Manifest != nil {
						fmt.Fprintf(w, "on this node's disk: %v\nproviders %s\n", m.Local, strings.Join(m.Providers, " "))
					}
				})
			})
		},
	}
	cmd.Flags().BoolVar(&prove, "prove", false, "add a state proof to the JSON; `openledger query proof` writes one to a file and checks it")
	return cmd
}

func newDataGetCmd(a *app) *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use: "get ID", Short: "Fetch a dataset's content and check it", Args: cobra.ExactArgs(1),
		Example: "  openledger data get 0x… --out rows.csv\n  openledger data get 0x… --out book.txt",
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := api.ParseHash(args[0])
			if err != nil {
				return usage("%v", err)
			}
			return a.call(cmd, func(ctx context.Context) error {
				c := a.client()
				o, err := c.DatasetGet(ctx, api.IDParams{ID: id})
				if err != nil {
					return err
				}
				b, err := c.Blob(ctx, o.Value.Content.String())
				if err != nil {
					return err
				}
				if _, err := publish.LoadData(o.Value, b); err != nil {
					return &exitError{exitNo, err}
				}
				if out == "" {
					_, err = cmd.OutOrStdout().Write(b)
					return err
				}
				if err := os.WriteFile(out, b, 0o644); err != nil {
					return err
				}
				return a.print(cmd, map[string]any{"file": out, "bytes": len(b)}, func(w io.Writer) { fmt.Fprintf(w, "%s  %d bytes, verified\n", out, len(b)) })
			})
		},
	}
	cmd.Flags().StringVar(&out, "out", "", "file to write (default: standard output)")
	return cmd
}
