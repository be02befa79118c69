// SPDX-License-Identifier: Apache-2.0

package localnet

import (
	"crypto/rand"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"

	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/ledger/genesis"
	"github.com/openledger/openledger/node/keystore"
	"github.com/openledger/openledger/testnet/bundle"
)

// localHome makes a home that unlocks itself: a random passphrase lies beside
// its keys, which is right only for throw-away networks on one machine.
func localHome(home string) (*keystore.Store, []byte, error) {
	ks, err := keystore.Open(filepath.Join(home, "keys"), keystore.WorkFactorLocal)
	if err != nil {
		return nil, nil, err
	}
	var secret [16]byte
	if _, err := rand.Read(secret[:]); err != nil {
		return nil, nil, err
	}
	pass := []byte(hex.EncodeToString(secret[:]))
	if err := os.WriteFile(filepath.Join(home, "passphrase"), append(pass, '\n'), 0o600); err != nil {
		return nil, nil, err
	}
	return ks, pass, os.WriteFile(filepath.Join(home, "local-profile"), []byte("keys of this home unlock themselves\n"), 0o644)
}

func newKey(ks *keystore.Store, name string, pass []byte) (keystore.Entry, keys.PrivateKey, error) {
	key, err := keys.Generate(rand.Reader)
	if err != nil {
		return keystore.Entry{}, key, err
	}
	e, err := ks.Create(name, key, pass)
	return e, key, err
}

// makeClient makes a home with one key, named as the home, for a person.
func (n *Network) makeClient(name string) (keys.Address, error) {
	ks, pass, err := localHome(n.ClientHome(name))
	if err != nil {
		return keys.Address{}, err
	}
	e, _, err := newKey(ks, name, pass)
	return e.Address, err
}

// ClientHome is the home of a person's key in this network.
func (n *Network) ClientHome(name string) string { return filepath.Join(n.Dir, "clients", name) }

// ClientKey unlocks a person's key.
func (n *Network) ClientKey(name string) (keys.PrivateKey, error) {
	home := n.ClientHome(name)
	pass, err := keystore.UnlockFile(filepath.Join(home, "passphrase"))
	if err != nil {
		return keys.PrivateKey{}, err
	}
	ks, err := keystore.Open(filepath.Join(home, "keys"), keystore.WorkFactorLocal)
	if err != nil {
		return keys.PrivateKey{}, err
	}
	return ks.Load(name, pass)
}

// TokenFor returns the RPC token of the node at url for a person's home of a
// local network; empty if home is none or the node is not of its network.
func TokenFor(home, url string) string {
	n, err := Open(filepath.Dir(filepath.Dir(filepath.Clean(home))))
	if err != nil {
		return ""
	}
	for _, m := range n.Nodes {
		if m.RPC == url {
			b, err := os.ReadFile(filepath.Join(m.Home, "rpc.token"))
			if err != nil {
				return ""
			}
			return strings.TrimSpace(string(b))
		}
	}
	return ""
}

// OperatorKey unlocks the operator key of a node.
func (m Node) OperatorKey() (keys.PrivateKey, error) {
	pass, err := keystore.UnlockFile(filepath.Join(m.Home, "passphrase"))
	if err != nil {
		return keys.PrivateKey{}, err
	}
	ks, err := keystore.Open(filepath.Join(m.Home, "keys"), keystore.WorkFactorLocal)
	if err != nil {
		return keys.PrivateKey{}, err
	}
	return ks.Load("operator", pass)
}

// Genesis returns the network's genesis document, from its network file.
func (n *Network) Genesis() (genesis.Doc, error) {
	b, err := bundle.Load(n.Join)
	if err != nil {
		return genesis.Doc{}, err
	}
	return b.Doc()
}
