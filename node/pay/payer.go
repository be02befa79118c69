// SPDX-License-Identifier: Apache-2.0

package pay

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/ledger/channel"
	"github.com/openledger/openledger/rpc/api"
)

// Errors. Those of the node come as *api.Error.
var (
	ErrInUse     = errors.New("another process pays from this folder")
	ErrNoChannel = errors.New("no open channel has enough left for this operator")
	ErrAnswer    = errors.New("the answer is not what was paid for")
	ErrRecord    = errors.New("damaged channel record")
)

// Node is what a payer asks of a node; api.Backend has it.
type Node interface {
	InferRun(context.Context, api.InferParams) (api.InferAnswer, error)
	ChannelGet(context.Context, api.IDParams) (api.ChannelView, error)
	ChannelList(context.Context, api.Page) (api.List[channel.Channel], error)
}

// marginMS is how much chain time a channel must have left to be paid from.
const marginMS = 15_000

// Payer pays from the channels of one account. It is safe for concurrent use;
// requests of one channel wait for each other.
type Payer struct {
	dir     string
	chainID [32]byte
	key     keys.PrivateKey
	node    Node
	lock    *os.File

	mu     sync.Mutex
	purses map[api.Hash]*purse
}

// Open reads the channel records of dir, which is made if it does not exist; one
// process at a time may hold it. Errors: ErrInUse, ErrRecord.
func Open(dir string, chainID [32]byte, key keys.PrivateKey, node Node) (*Payer, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %s", ErrInUse, dir), f.Close())
	}
	p := &Payer{dir: dir, chainID: chainID, key: key, node: node, lock: f, purses: map[api.Hash]*purse{}}
	if err := p.load(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return p, nil
}

// Close lets another process pay.
func (p *Payer) Close() error { return p.lock.Close() }

// Account is the account that pays.
func (p *Payer) Account() keys.Address { return keys.SingleAuth(p.key.Public()).Address() }

// load reads the records of this account and chain.
func (p *Payer) load() error {
	names, err := filepath.Glob(filepath.Join(p.dir, "*.json"))
	if err != nil {
		return err
	}
	for _, name := range names {
		b, err := readPurse(name)
		if err != nil {
			return err
		}
		if b.Chain == api.Hash(p.chainID) && b.Payer == p.Account() {
			b.path = name
			p.purses[b.Channel] = b
		}
	}
	return nil
}

// Add takes a channel of this account into the records, with what the ledger and
// the payee's node know of its lanes. Errors: ErrNoChannel if it is another
// account's, those of the node and the file system.
func (p *Payer) Add(ctx context.Context, id api.Hash) error {
	v, err := p.node.ChannelGet(ctx, api.IDParams{ID: id})
	if err != nil {
		return err
	}
	if v.Value.Payer != p.Account() {
		return fmt.Errorf("%w: channel %v is paid by %v", ErrNoChannel, id, v.Value.Payer)
	}
	b := p.purse(id, v.Value.Payee)
	leave, err := b.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	b.learn(p.chainID, v)
	return b.save()
}

// purse returns the record of a channel, a new one if there is none.
func (p *Payer) purse(id api.Hash, payee keys.Address) *purse {
	p.mu.Lock()
	defer p.mu.Unlock()
	b := p.purses[id]
	if b == nil {
		b = &purse{turn: make(chan struct{}, 1), path: filepath.Join(p.dir, id.String()[2:]+".json"), Chain: p.chainID, Channel: id, Payer: p.Account(), Payee: payee}
		p.purses[id] = b
	}
	return b
}

// Find returns a channel to payee with at least need base units left, from the
// records or else from the ledger. Errors: ErrNoChannel, those of the node.
func (p *Payer) Find(ctx context.Context, payee keys.Address, need fixed.Amount) (api.Hash, error) {
	tried := map[api.Hash]bool{}
	p.mu.Lock()
	for id, b := range p.purses {
		if b.Payee == payee {
			tried[id] = true
		}
	}
	p.mu.Unlock()
	for id := range tried {
		ok, err := p.usable(ctx, id, need)
		if err != nil || ok {
			return id, err
		}
	}
	page := api.Page{Limit: 1_000}
	for {
		l, err := p.node.ChannelList(ctx, page)
		if err != nil {
			return api.Hash{}, err
		}
		for _, it := range l.Items {
			if it.Value.Payer != p.Account() || it.Value.Payee != payee || tried[it.ID] {
				continue
			}
			if err := p.Add(ctx, it.ID); err != nil {
				return api.Hash{}, err
			}
			ok, err := p.usable(ctx, it.ID, need)
			if err != nil || ok {
				return it.ID, err
			}
		}
		if page.Cursor = l.Next; page.Cursor == "" {
			return api.Hash{}, ErrNoChannel
		}
	}
}

// usable reports whether a channel is open and has enough left. A channel that
// has ended is taken out of the records.
func (p *Payer) usable(ctx context.Context, id api.Hash, need fixed.Amount) (bool, error) {
	v, err := p.node.ChannelGet(ctx, api.IDParams{ID: id})
	var known *api.Error
	if errors.As(err, &known) && known.Code == api.CodeNotFound {
		return false, p.forget(id)
	}
	if err != nil {
		return false, err
	}
	c := v.Value
	if c.ClosingMS != 0 || c.ExpiryMS < v.CTimeMS+marginMS {
		return false, nil
	}
	b := p.purse(id, c.Payee)
	leave, err := b.enter(ctx)
	if err != nil {
		return false, err
	}
	defer leave()
	return b.left(v) >= need, nil
}

func (p *Payer) forget(id api.Hash) error {
	p.mu.Lock()
	b := p.purses[id]
	delete(p.purses, id)
	p.mu.Unlock()
	if b == nil {
		return nil
	}
	if err := os.Remove(b.path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// Spent is what this account has promised in a channel, in base units, by its
// own records; false if it has none.
func (p *Payer) Spent(id api.Hash) (fixed.Amount, bool) {
	p.mu.Lock()
	b := p.purses[id]
	p.mu.Unlock()
	if b == nil {
		return 0, false
	}
	b.turn <- struct{}{}
	defer func() { <-b.turn }()
	sum := fixed.Amount(0)
	for _, l := range b.Lanes {
		sum += l.Cum
	}
	return sum, true
}
