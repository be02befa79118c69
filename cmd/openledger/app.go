// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/node/config"
	"github.com/openledger/openledger/node/keystore"
	"github.com/openledger/openledger/rpc/client"
	"github.com/openledger/openledger/testnet/localnet"
)

const defaultNode = "http://127.0.0.1:9944"

// app holds the global flags (CLI-01).
type app struct {
	home, node, output, from, unlock string
	quiet                            bool
	timeout                          time.Duration
}

func (a *app) bind(root *cobra.Command) {
	f := root.PersistentFlags()
	f.StringVar(&a.home, "home", defaultHome(), "folder with keys, data and configuration")
	f.StringVar(&a.node, "node", envOr("OPENLEDGER_NODE", defaultNode), "URL of the node to talk to")
	f.StringVar(&a.output, "output", "text", "text or json")
	f.StringVar(&a.from, "from", "", "name of the signing key (default: the only key)")
	f.StringVar(&a.unlock, "unlock", envOr("OPENLEDGER_KEYS_UNLOCK", "prompt"), "where the passphrase comes from: prompt or file:PATH")
	f.BoolVar(&a.quiet, "quiet", false, "no progress on stderr")
	f.DurationVar(&a.timeout, "timeout", 30*time.Second, "how long to wait for an answer")
	root.PersistentPreRunE = func(*cobra.Command, []string) error {
		if a.output != "text" && a.output != "json" {
			return usage("--output %q: use text or json", a.output)
		}
		if u, err := url.Parse(a.node); err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
			return usage("--node %q: write a URL such as %s", a.node, defaultNode)
		}
		return nil
	}
}

func envOr(name, fallback string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return fallback
}

func defaultHome() string {
	if h := os.Getenv("OPENLEDGER_HOME"); h != "" {
		return h
	}
	h, err := os.UserHomeDir()
	if err != nil {
		return ".openledger"
	}
	return filepath.Join(h, ".openledger")
}

// client talks to the node of --node, with its token if it is known here.
func (a *app) client() *client.Client { return client.New(a.node, a.token()) }

// token is the RPC token of the node of --node: that of --home if the node is the
// one of this home, that of a local network if the home belongs to one. No other
// node ever sees it.
func (a *app) token() string {
	token, err := os.ReadFile(filepath.Join(a.home, "rpc.token"))
	if err != nil {
		return localnet.TokenFor(a.home, a.node)
	}
	c, err := config.Load(filepath.Join(a.home, "config.toml"), os.LookupEnv)
	if err != nil || !sameEndpoint(a.node, c.RPC.Listen) {
		return ""
	}
	return strings.TrimSpace(string(token))
}

// sameEndpoint reports whether a URL reaches what listens at an address of this
// machine.
func sameEndpoint(node, listen string) bool {
	u, err := url.Parse(node)
	if err != nil {
		return false
	}
	host, port, err := net.SplitHostPort(listen)
	if err != nil || u.Port() != port {
		return false
	}
	ip, asked := net.ParseIP(host), net.ParseIP(u.Hostname())
	here := u.Hostname() == "localhost" || (asked != nil && asked.IsLoopback())
	listens := host == "localhost" || host == "" || (ip != nil && (ip.IsLoopback() || ip.IsUnspecified()))
	return u.Hostname() == host || (here && listens)
}

func (a *app) keystore() (*keystore.Store, error) {
	return keystore.Open(filepath.Join(a.home, "keys"), a.workFactor())
}

// workFactor is cheap in homes of local networks, which carry a marker file.
func (a *app) workFactor() int {
	if _, err := os.Stat(filepath.Join(a.home, "local-profile")); err == nil {
		return keystore.WorkFactorLocal
	}
	return keystore.WorkFactorHome
}

// signer unlocks the key of --from, or the only account key of the home.
func (a *app) signer(cmd *cobra.Command) (keys.PrivateKey, error) {
	ks, err := a.keystore()
	if err != nil {
		return keys.PrivateKey{}, err
	}
	name := a.from
	if name == "" {
		if name, err = onlyKey(ks, a.home); err != nil {
			return keys.PrivateKey{}, err
		}
	}
	pass, err := a.passphrase(cmd, "passphrase of key "+name+": ")
	if err != nil {
		return keys.PrivateKey{}, err
	}
	defer clear(pass)
	return ks.Load(name, pass)
}

func onlyKey(ks *keystore.Store, home string) (string, error) {
	list, err := ks.List()
	if err != nil {
		return "", err
	}
	var names []string
	for _, e := range list {
		if e.Name != "validator" {
			names = append(names, e.Name)
		}
	}
	switch len(names) {
	case 0:
		return "", &exitError{exitNotFound, fmt.Errorf("no key in %s; make one with `openledger keys new alice`", home)}
	case 1:
		return names[0], nil
	}
	return "", usage("several keys in %s (%s); choose one with --from NAME", home, strings.Join(names, ", "))
}

// passphrase reads from --unlock, or from the terminal. A home made by
// `testnet up` unlocks itself with the file beside its keys.
func (a *app) passphrase(cmd *cobra.Command, prompt string) ([]byte, error) {
	source := a.unlock
	if local := filepath.Join(a.home, "passphrase"); source == "prompt" {
		if _, err := os.Stat(local); err == nil {
			source = "file:" + local
		}
	}
	if path, ok := strings.CutPrefix(source, "file:"); ok {
		pass, err := keystore.UnlockFile(path)
		if err != nil {
			return nil, usage("--unlock file:%s: %v", path, err)
		}
		return pass, nil
	}
	if source != "prompt" {
		return nil, usage("--unlock %q: use prompt or file:PATH", source)
	}
	in, ok := cmd.InOrStdin().(*os.File)
	if !ok || !term.IsTerminal(int(in.Fd())) {
		return nil, &exitError{exitLocked, errors.New("a passphrase is needed and there is no terminal; use --unlock file:PATH")}
	}
	fmt.Fprint(cmd.ErrOrStderr(), prompt)
	pass, err := term.ReadPassword(int(in.Fd()))
	fmt.Fprintln(cmd.ErrOrStderr())
	return pass, err
}

// print writes the result: v as one JSON document, or text(w).
func (a *app) print(cmd *cobra.Command, v any, text func(w io.Writer)) error {
	w := cmd.OutOrStdout()
	if a.output == "json" {
		e := json.NewEncoder(w)
		e.SetEscapeHTML(false)
		return e.Encode(v)
	}
	text(clean{w})
	return nil
}

// clean escapes what could fool a terminal in text that others wrote: control
// characters other than line feed and tab, and marks that turn the direction of
// writing (SEC-01).
type clean struct{ io.Writer }

// Write implements io.Writer.
func (c clean) Write(p []byte) (int, error) {
	_, err := io.WriteString(c.Writer, cleaned(string(p)))
	return len(p), err
}

func cleaned(s string) string {
	fools := func(r rune) bool {
		return (unicode.IsControl(r) && r != '\n' && r != '\t') || unicode.Is(unicode.Bidi_Control, r) || r == utf8.RuneError
	}
	if !strings.ContainsFunc(s, fools) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if fools(r) {
			fmt.Fprintf(&b, "\\u%04x", r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// progress returns a writer for progress lines: stderr when it is a terminal.
func (a *app) progress(cmd *cobra.Command) io.Writer {
	if f, ok := cmd.ErrOrStderr().(*os.File); ok && !a.quiet && term.IsTerminal(int(f.Fd())) {
		return f
	}
	return io.Discard
}
