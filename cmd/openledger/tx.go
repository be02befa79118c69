// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/ledger/tx"
	"github.com/openledger/openledger/rpc/api"
	"github.com/openledger/openledger/rpc/client"
)

// txFile is what tx build writes and tx sign and tx send read.
type txFile struct {
	Kind   string          `json:"kind"`
	Fields json.RawMessage `json:"fields"`
	Chain  api.Hash        `json:"chain"`
	Body   []byte          `json:"body"`
	Signed []byte          `json:"signed,omitempty"`
}

func printFinal(w io.Writer, s api.TxStatus) {
	fmt.Fprintf(w, "final at %d  txid %s  fee %s\n", s.Height, s.TxID, s.Receipt.Fee)
}

func newSendCmd(a *app) *cobra.Command {
	var memo string
	cmd := &cobra.Command{
		Use: "send TO AMOUNT", Short: "Send OPEN to an address", Args: cobra.ExactArgs(2),
		Example: "  openledger send open1… 1.5",
		RunE: func(cmd *cobra.Command, args []string) error {
			to, err := keys.ParseAddress(args[0])
			if err != nil {
				return err
			}
			amount, err := fixed.ParseAmount(args[1])
			if err != nil {
				return err
			}
			return a.signAndSend(cmd, &tx.Transfer{To: to, Amount: amount, Memo: []byte(memo)})
		},
	}
	cmd.Flags().StringVar(&memo, "memo", "", "up to 64 bytes that stand on the ledger")
	return cmd
}

// signAndSend is the common end of commands that send one transaction.
func (a *app) signAndSend(cmd *cobra.Command, payload tx.Payload) error {
	if err := payload.Check(); err != nil {
		return usage("%v", err)
	}
	key, err := a.signer(cmd)
	if err != nil {
		return err
	}
	return a.call(cmd, func(ctx context.Context) error {
		s, err := a.client().Send(ctx, key, payload)
		if err != nil {
			return err
		}
		return a.print(cmd, s, func(w io.Writer) { printFinal(w, s) })
	})
}

func newFaucetCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "faucet ADDRESS", Short: "Test networks: receive OPEN, once per address and epoch", Args: cobra.ExactArgs(1),
		Example: "  openledger faucet open1…",
		RunE: func(cmd *cobra.Command, args []string) error {
			to, err := keys.ParseAddress(args[0])
			if err != nil {
				return err
			}
			return a.call(cmd, func(ctx context.Context) error {
				s, err := a.client().FaucetRequest(ctx, api.FaucetParams{Address: to})
				if err = client.Refused(s, err); err != nil {
					return err
				}
				return a.print(cmd, s, func(w io.Writer) { printFinal(w, s) })
			})
		},
	}
}

func newTxCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{Use: "tx", Short: "Build, sign, send and look at transactions of any kind", Args: cobra.NoArgs,
		Long: "Kinds: " + kindNames() + ".\nFields are the JSON names of docs/spec/ledger.md."}
	cmd.AddCommand(newTxBuildCmd(a), newTxSignCmd(a), newTxSendCmd(a), newTxGetCmd(a), newTxDecodeCmd(a), newTxPendingCmd(a))
	return cmd
}

func kindNames() string {
	var names []string
	for _, k := range tx.Kinds {
		names = append(names, k.Name)
	}
	return strings.Join(names, ", ")
}

func newTxBuildCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "build KIND FIELDS", Short: "Build an unsigned transaction; FIELDS is JSON, or @FILE", Args: cobra.ExactArgs(2),
		Example: `  openledger tx build Transfer '{"to":"open1…","amount":"1000000000"}' --output json > t.json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			kind, err := tx.ParseKind(args[0])
			if err != nil {
				return usage("%q is no kind; use one of %s", args[0], kindNames())
			}
			text := []byte(args[1])
			if path, ok := strings.CutPrefix(args[1], "@"); ok {
				if text, err = os.ReadFile(path); err != nil {
					return usage("%v", err)
				}
			}
			payload, err := tx.ParsePayload(kind, text)
			if err != nil {
				return usage("fields: %v", err)
			}
			if err := payload.Check(); err != nil {
				return usage("fields: %v", err)
			}
			return a.buildFile(cmd, payload, text)
		},
	}
}

func (a *app) buildFile(cmd *cobra.Command, payload tx.Payload, fields []byte) error {
	name := a.from
	ks, err := a.keystore()
	if err != nil {
		return err
	}
	if name == "" {
		if name, err = onlyKey(ks, a.home); err != nil {
			return err
		}
	}
	e, err := ks.Entry(name)
	if err != nil {
		return err
	}
	return a.call(cmd, func(ctx context.Context) error {
		c := a.client()
		s, err := c.NodeStatus(ctx, api.Empty{})
		if err != nil {
			return err
		}
		built, err := c.TxBuild(ctx, api.TxBuildParams{Kind: payload.Kind().String(), Fields: fields, Sender: e.Address})
		if err != nil {
			return err
		}
		f := txFile{Kind: payload.Kind().String(), Fields: fields, Chain: s.Chain, Body: built.Bytes}
		return a.print(cmd, f, func(w io.Writer) { writeTxFile(w, f) })
	})
}

func writeTxFile(w io.Writer, f txFile) {
	b, err := json.MarshalIndent(f, "", "  ")
	if err == nil {
		fmt.Fprintln(w, string(b))
	}
}

func readTxFile(path string) (f txFile, payload tx.Payload, err error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return f, nil, usage("%v", err)
	}
	if err := json.Unmarshal(b, &f); err != nil {
		return f, nil, usage("%s: %v", path, err)
	}
	kind, err := tx.ParseKind(f.Kind)
	if err != nil {
		return f, nil, usage("%s: %v", path, err)
	}
	if payload, err = tx.ParsePayload(kind, f.Fields); err != nil {
		return f, nil, usage("%s: %v", path, err)
	}
	return f, payload, nil
}

func newTxSignCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "sign FILE", Short: "Sign a built transaction; needs no node", Args: cobra.ExactArgs(1),
		Example: "  openledger tx sign t.json --output json > signed.json",
		RunE: func(cmd *cobra.Command, args []string) error {
			f, payload, err := readTxFile(args[0])
			if err != nil {
				return err
			}
			key, err := a.signer(cmd)
			if err != nil {
				return err
			}
			signed, err := client.Sign(f.Body, payload, f.Chain, key)
			if err != nil {
				return usage("%s: %v", args[0], err)
			}
			f.Signed = signed.Encode()
			return a.print(cmd, f, func(w io.Writer) { writeTxFile(w, f) })
		},
	}
}

func newTxSendCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "send FILE", Short: "Submit a signed transaction and wait until it is final", Args: cobra.ExactArgs(1),
		Example: "  openledger tx send signed.json",
		RunE: func(cmd *cobra.Command, args []string) error {
			f, _, err := readTxFile(args[0])
			if err != nil {
				return err
			}
			if len(f.Signed) == 0 {
				return usage("%s is not signed; run `openledger tx sign %s`", args[0], args[0])
			}
			return a.call(cmd, func(ctx context.Context) error {
				s, err := a.client().TxSubmit(ctx, api.TxSubmitParams{Bytes: f.Signed})
				if err = client.Refused(s, err); err != nil {
					return err
				}
				return a.print(cmd, s, func(w io.Writer) { printFinal(w, s) })
			})
		},
	}
}

func newTxGetCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "get TXID", Short: "Find a transaction", Args: cobra.ExactArgs(1),
		Example: "  openledger tx get 0x…",
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := api.ParseHash(args[0])
			if err != nil {
				return usage("%v", err)
			}
			return a.call(cmd, func(ctx context.Context) error {
				s, err := a.client().TxGet(ctx, api.TxGetParams{TxID: id})
				if err != nil {
					return err
				}
				return a.print(cmd, s, func(w io.Writer) {
					fmt.Fprintf(w, "%s  %s", s.Status, s.TxID)
					if s.Receipt != nil {
						fmt.Fprintf(w, "  height %d  code %s  fee %s", s.Height, s.Receipt.Code, s.Receipt.Fee)
					}
					fmt.Fprintln(w)
				})
			})
		},
	}
}

func newTxDecodeCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "decode FILE", Short: "Explain a transaction file; needs no node", Args: cobra.ExactArgs(1),
		Example: "  openledger tx decode signed.json",
		RunE: func(cmd *cobra.Command, args []string) error {
			f, payload, err := readTxFile(args[0])
			if err != nil {
				return err
			}
			d, err := decodeTxFile(f, payload)
			if err != nil {
				return usage("%s: %v", args[0], err)
			}
			return a.print(cmd, d, func(w io.Writer) {
				fmt.Fprintf(w, "%s  %s\nfrom %s  nonce %d  max fee %s  %s\n%s\n", d.Kind, d.TxID, d.Sender, d.Nonce, d.MaxFee,
					map[bool]string{true: "signed", false: "not signed"}[d.Signed], d.Fields)
			})
		},
	}
}

// decodeTxFile explains what the file's bytes say. Fields that say something else
// and a signature that does not hold are errors.
func decodeTxFile(f txFile, payload tx.Payload) (d api.TxDecoded, err error) {
	body, err := tx.DecodeBody(f.Body)
	if err != nil {
		return d, err
	}
	if body.Kind != payload.Kind() || !bytes.Equal(enc.Encode(body.Payload), enc.Encode(payload)) {
		return d, errors.New("the body is another transaction than kind and fields say")
	}
	if len(f.Signed) > 0 {
		s, err := tx.Decode(f.Signed)
		if err != nil {
			return d, fmt.Errorf("signed: %w", err)
		}
		if s.Body.ID(f.Chain) != body.ID(f.Chain) {
			return d, errors.New("signed: the signature is of another body")
		}
		if _, err := tx.Verify(f.Chain, s); err != nil {
			return d, fmt.Errorf("signed: %w", err)
		}
	}
	fields, err := json.Marshal(body.Payload)
	return api.TxDecoded{TxID: body.ID(f.Chain), Kind: body.Kind.String(), Sender: body.Sender, Nonce: body.Nonce,
		MaxFee: body.MaxFee, Tip: body.Tip, ValidUntil: body.ValidUntil, Fields: fields, Signed: len(f.Signed) > 0}, err
}

func newTxPendingCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "pending", Short: "Transactions that wait for a block", Args: cobra.NoArgs,
		Example: "  openledger tx pending",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.call(cmd, func(ctx context.Context) error {
				p, err := a.client().TxPending(ctx, api.TxPendingParams{})
				if err != nil {
					return err
				}
				return a.print(cmd, p, func(w io.Writer) {
					fmt.Fprintf(w, "%d waiting\n", p.Count)
					for _, id := range p.Items {
						fmt.Fprintln(w, id)
					}
				})
			})
		},
	}
}
