// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/openledger/openledger/node/keystore"
)

func newKeysCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{Use: "keys", Short: "Make, list and recover signing keys", Args: cobra.NoArgs,
		Long: "Keys are age files with a passphrase under --home; stock `age -d` opens them. The 24 words are shown once."}
	cmd.AddCommand(newKeysNewCmd(a), newKeysImportCmd(a), newKeysListCmd(a), newKeysShowCmd(a))
	return cmd
}

func newKeysNewCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "new NAME", Short: "Make a key from 24 new words", Args: cobra.ExactArgs(1),
		Example: "  openledger keys new alice",
		RunE: func(cmd *cobra.Command, args []string) error {
			words, err := keystore.NewMnemonic(rand.Reader)
			if err != nil {
				return err
			}
			e, err := a.storeWords(cmd, args[0], words, 0)
			if err != nil {
				return err
			}
			if a.output == "json" {
				return a.print(cmd, map[string]string{"name": e.Name, "address": e.Address.String(),
					"public_key": e.PublicKey.String(), "mnemonic": words}, nil)
			}
			return a.print(cmd, nil, func(w io.Writer) {
				fmt.Fprintf(w, "%s  %s\n\nWrite these 24 words down; they are shown once:\n\n  %s\n", e.Name, e.Address, words)
			})
		},
	}
}

func newKeysImportCmd(a *app) *cobra.Command {
	var index uint32
	cmd := &cobra.Command{
		Use: "import NAME", Short: "Recover a key from its 24 words, read from standard input", Args: cobra.ExactArgs(1),
		Example: "  openledger keys import alice < words.txt",
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := io.ReadAll(io.LimitReader(cmd.InOrStdin(), 4<<10))
			if err != nil {
				return err
			}
			e, err := a.storeWords(cmd, args[0], string(text), index)
			if err != nil {
				return err
			}
			return a.print(cmd, e, func(w io.Writer) { fmt.Fprintf(w, "%s  %s\n", e.Name, e.Address) })
		},
	}
	cmd.Flags().Uint32Var(&index, "index", 0, "which key of the words (path m/44'/9944'/INDEX')")
	return cmd
}

func (a *app) storeWords(cmd *cobra.Command, name, words string, index uint32) (keystore.Entry, error) {
	key, err := keystore.Derive(words, index)
	if err != nil {
		return keystore.Entry{}, err
	}
	ks, err := a.keystore()
	if err != nil {
		return keystore.Entry{}, err
	}
	if _, err := ks.Entry(name); err == nil {
		return keystore.Entry{}, fmt.Errorf("%w: %s", keystore.ErrExists, name)
	}
	pass, err := a.newPassphrase(cmd)
	if err != nil {
		return keystore.Entry{}, err
	}
	defer clear(pass)
	return ks.Create(name, key, pass)
}

// newPassphrase asks twice on a terminal.
func (a *app) newPassphrase(cmd *cobra.Command) ([]byte, error) {
	first, err := a.passphrase(cmd, "new passphrase: ")
	if err != nil {
		return nil, err
	}
	if len(first) == 0 {
		return nil, usage("the passphrase is empty")
	}
	if a.unlock != "prompt" {
		return first, nil
	}
	second, err := a.passphrase(cmd, "again: ")
	defer clear(second)
	if err == nil && !bytes.Equal(first, second) {
		return nil, usage("the passphrases differ")
	}
	return first, err
}

func newKeysListCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the keys of this home", Args: cobra.NoArgs,
		Example: "  openledger keys list",
		RunE: func(cmd *cobra.Command, _ []string) error {
			ks, err := a.keystore()
			if err != nil {
				return err
			}
			list, err := ks.List()
			if err != nil {
				return err
			}
			return a.print(cmd, list, func(w io.Writer) {
				for _, e := range list {
					fmt.Fprintf(w, "%-16s %s\n", e.Name, e.Address)
				}
				if len(list) == 0 {
					fmt.Fprintf(w, "no keys in %s; make one with `openledger keys new alice`\n", a.home)
				}
			})
		},
	}
}

func newKeysShowCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "show NAME", Short: "Print the address of a key", Args: cobra.ExactArgs(1),
		Example: "  openledger keys show alice",
		RunE: func(cmd *cobra.Command, args []string) error {
			ks, err := a.keystore()
			if err != nil {
				return err
			}
			e, err := ks.Entry(args[0])
			if err != nil {
				return err
			}
			return a.print(cmd, e, func(w io.Writer) { fmt.Fprintln(w, e.Address) })
		},
	}
}
