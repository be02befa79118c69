// SPDX-License-Identifier: Apache-2.0

package localnet

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/ledger/genesis"
	"github.com/openledger/openledger/node/config"
	"github.com/openledger/openledger/node/keystore"
	"github.com/openledger/openledger/p2p"
	"github.com/openledger/openledger/testnet/bundle"
)

// Errors.
var (
	ErrExists  = errors.New("a network exists here already")
	ErrMissing = errors.New("no network here")
	ErrPort    = errors.New("port is in use")
)

// Defaults of Options.
const (
	DefaultValidators = 4
	DefaultWorkers    = 1
	DefaultPort       = 9944
	DefaultEpoch      = 20 * time.Second
	p2pOffset         = 1_000
)

// Money of a local network.
const (
	OperatorMoney = 10_000 * fixed.OPEN
	DevMoney      = 1_000_000 * fixed.OPEN
)

// Options say what Create makes. Zero fields mean the defaults.
type Options struct {
	Dir        string
	Program    string // the openledger binary
	Validators int
	Workers    int
	BasePort   int // RPC of node i listens on BasePort+i
	Epoch      time.Duration
	// Accounts are made as client homes with one key each and this balance,
	// besides "dev".
	Accounts map[string]fixed.Amount
	// Grants are further balances of the genesis document, without a home.
	Grants []genesis.Alloc
	// Liar makes the last worker commit a false segment in its first task.
	Liar bool
	// NoWork starts nodes that neither work nor check.
	NoWork bool
	// Place says where node i runs: the address of its p2p listener and the
	// command that its program is started by, which must become that program. Nil:
	// 127.0.0.1, started directly.
	Place func(i int) (host string, command []string)
}

func (o *Options) place(i int) (string, []string) {
	if o.Place == nil {
		return "127.0.0.1", nil
	}
	return o.Place(i)
}

// Node is one process of the network.
type Node struct {
	Name      string       `json:"name"`
	Home      string       `json:"home"`
	RPC       string       `json:"rpc"` // URL
	P2P       string       `json:"p2p"` // full address
	Account   keys.Address `json:"account"`
	Validator bool         `json:"validator"`
	PID       int          `json:"pid"` // 0: not running
	Args      []string     `json:"args,omitempty"`
	Command   []string     `json:"command,omitempty"` // what starts the program
}

// Network is a folder with node homes. Its methods are for one goroutine.
type Network struct {
	Dir     string `json:"-"`
	Program string `json:"program"`
	Nodes   []Node `json:"nodes"`
	Join    string `json:"join"` // path of the network file
}

func statePath(dir string) string { return filepath.Join(dir, "network.json") }

// Open finds the network in dir. Errors: ErrMissing.
func Open(dir string) (*Network, error) {
	b, err := os.ReadFile(statePath(dir))
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s; start one with `openledger testnet up`", ErrMissing, dir)
	}
	if err != nil {
		return nil, err
	}
	n := &Network{Dir: dir}
	if err := json.Unmarshal(b, n); err != nil {
		return nil, fmt.Errorf("%s: %w", statePath(dir), err)
	}
	return n, nil
}

func (n *Network) save() error {
	b, err := json.MarshalIndent(n, "", "  ")
	if err != nil {
		return err
	}
	tmp := statePath(n.Dir) + ".new"
	if err := os.WriteFile(tmp, append(b, '\n'), 0o644); err != nil {
		return err
	}
	return os.Rename(tmp, statePath(n.Dir))
}

// Create makes keys, homes and genesis; nothing runs yet. Errors: ErrExists,
// ErrPort.
func Create(o Options) (*Network, error) {
	if o.Validators == 0 {
		o.Validators = DefaultValidators
	}
	if o.BasePort == 0 {
		o.BasePort = DefaultPort
	}
	if o.Epoch == 0 {
		o.Epoch = DefaultEpoch
	}
	if _, err := os.Stat(statePath(o.Dir)); err == nil {
		return nil, fmt.Errorf("%w: %s; openledger testnet down --reset removes it", ErrExists, o.Dir)
	}
	if err := os.MkdirAll(o.Dir, 0o755); err != nil {
		return nil, err
	}
	n := &Network{Dir: o.Dir, Program: o.Program, Join: filepath.Join(o.Dir, "join.json")}
	var validators []genesis.Member
	accounts := slices.Clone(o.Grants)
	for i := range o.Validators + o.Workers {
		m, err := makeNode(o, i)
		if err != nil {
			return nil, err
		}
		n.Nodes = append(n.Nodes, m.Node)
		accounts = append(accounts, genesis.Alloc{Address: m.Account, Amount: OperatorMoney})
		if m.Validator {
			validators = append(validators, genesis.Validator(m.Account, m.vote, 1))
		}
	}
	clients := map[string]fixed.Amount{"dev": DevMoney}
	for name, amount := range o.Accounts {
		clients[name] = amount
	}
	for name, amount := range clients {
		key, err := n.makeClient(name)
		if err != nil {
			return nil, err
		}
		if amount > 0 {
			accounts = append(accounts, genesis.Alloc{Address: key, Amount: amount})
		}
	}
	doc, err := genesis.Local(genesis.LocalConfig{Validators: validators, Accounts: accounts, TimeMS: uint64(time.Now().UnixMilli()), EpochMS: uint64(o.Epoch.Milliseconds())})
	if err != nil {
		return nil, err
	}
	return n, n.finish(o, doc)
}

// finish writes the network file and each node's genesis and configuration.
func (n *Network) finish(o Options, doc genesis.Doc) error {
	var boot []string
	for _, m := range n.Nodes {
		boot = append(boot, m.P2P)
	}
	if err := bundle.New(doc, boot[:min(len(boot), o.Validators)]).Save(n.Join); err != nil {
		return err
	}
	for i, m := range n.Nodes {
		if err := os.WriteFile(filepath.Join(m.Home, "genesis.cbor"), doc.Encode(), 0o644); err != nil {
			return err
		}
		c := config.Default()
		host, _ := o.place(i)
		c.P2P = config.P2P{Listen: p2p.ListenOn(host, o.BasePort+p2pOffset+i), Profile: "lan", Bootstrap: boot}
		c.RPC.Listen = net.JoinHostPort("127.0.0.1", strconv.Itoa(o.BasePort+i))
		c.Store.CacheMiB = 16
		c.Keys = config.Keys{Unlock: "file:" + filepath.Join(m.Home, "passphrase")}
		c.Work = config.Work{Key: "operator", Worker: !o.NoWork && !m.Validator, Checker: !o.NoWork}
		if m.Validator {
			c.Keys.Validator = "validator"
		}
		text, err := c.Encode()
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(m.Home, "config.toml"), text, 0o644); err != nil {
			return err
		}
	}
	if o.Liar && o.Workers > 0 {
		n.Nodes[len(n.Nodes)-1].Args = []string{"--lie-once"}
	}
	return n.save()
}

type made struct {
	Node
	vote keys.PrivateKey
}

func makeNode(o Options, i int) (made, error) {
	name := fmt.Sprintf("validator%d", i)
	if i >= o.Validators {
		name = fmt.Sprintf("worker%d", i-o.Validators)
	}
	home := filepath.Join(o.Dir, name)
	for _, port := range []int{o.BasePort + i, o.BasePort + p2pOffset + i} {
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			return made{}, fmt.Errorf("%w: %d; choose others with --base-port", ErrPort, port)
		}
		l.Close()
	}
	ks, pass, err := localHome(home)
	if err != nil {
		return made{}, err
	}
	op, _, err := newKey(ks, "operator", pass)
	if err != nil {
		return made{}, err
	}
	host, command := o.place(i)
	m := made{Node: Node{Name: name, Home: home, Account: op.Address, Validator: i < o.Validators, Command: command,
		RPC: "http://" + net.JoinHostPort("127.0.0.1", strconv.Itoa(o.BasePort+i))}}
	if m.Validator {
		if _, m.vote, err = newKey(ks, "validator", pass); err != nil {
			return made{}, err
		}
	}
	seed, err := keystore.P2PSeed(filepath.Join(home, "keys", "p2p.key"))
	if err != nil {
		return made{}, err
	}
	id, err := p2p.IDFromSeed(seed)
	if err != nil {
		return made{}, err
	}
	m.P2P = fmt.Sprintf("/ip4/%s/tcp/%d/p2p/%s", host, o.BasePort+p2pOffset+i, id)
	return m, nil
}
