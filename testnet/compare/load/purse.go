// SPDX-License-Identifier: Apache-2.0

package load

import (
	"encoding/binary"
	"fmt"
	"sync"

	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/ledger/genesis"
	"github.com/openledger/openledger/ledger/tx"
)

const (
	// TxBytes is the size of every transfer, signature included.
	TxBytes = 250
	// ahead is how many heights after signing a transfer stays valid: less than
	// the ledger's limit, more than any run has.
	ahead = 9_000
	// money is what each sender begins with, maxFee what a transfer may cost when
	// blocks stay full for long.
	money  = 10_000 * fixed.OPEN
	maxFee = fixed.OPEN / 100
)

// ID names a transaction as the blocks of a chain show it.
type ID [32]byte

// Transfer is a signed transfer of TxBytes bytes.
type Transfer struct {
	Raw []byte
	ID  tx.ID
}

// Purse is many accounts that send in turn, each to the next one but six, so that
// a transfer writes two accounts and no account is busier than another.
type Purse struct {
	keys  []keys.PrivateKey
	addrs []keys.Address
	nonce []uint64
}

// NewPurse makes n accounts, always the same ones: their keys are worth nothing.
func NewPurse(n int) *Purse {
	p := &Purse{keys: make([]keys.PrivateKey, n), addrs: make([]keys.Address, n), nonce: make([]uint64, n)}
	for i := range p.keys {
		seed := [32]byte{'c', 'o', 'm', 'p', 'a', 'r', 'e'}
		binary.BigEndian.PutUint64(seed[24:], uint64(i))
		p.keys[i] = keys.FromSeed(seed)
		p.addrs[i] = keys.SingleAuth(p.keys[i].Public()).Address()
	}
	return p
}

// Len is the number of accounts.
func (p *Purse) Len() int { return len(p.keys) }

// Fresh returns the same accounts for a network that starts anew.
func (p *Purse) Fresh() *Purse {
	return &Purse{keys: p.keys, addrs: p.addrs, nonce: make([]uint64, len(p.keys))}
}

// Grants are the accounts of a genesis document.
func (p *Purse) Grants() []genesis.Alloc {
	out := make([]genesis.Alloc, len(p.addrs))
	for i, a := range p.addrs {
		out[i] = genesis.Alloc{Address: a, Amount: money}
	}
	return out
}

// Addresses lists the accounts.
func (p *Purse) Addresses() []keys.Address { return p.addrs }

// Sent is the number of transfers that all accounts together have signed.
func (p *Purse) Sent() (sum uint64) {
	for _, n := range p.nonce {
		sum += n
	}
	return sum
}

// Sign makes n transfers: number i from account i modulo Len, valid from height
// on. Cost: about 25 µs each on one core. Errors: none but a size that this
// program gets wrong.
func (p *Purse) Sign(chain [32]byte, height uint64, n int) ([]Transfer, error) {
	out := make([]Transfer, n)
	nonces := make([]uint64, n)
	for i := range out {
		nonces[i] = p.nonce[i%len(p.keys)]
		p.nonce[i%len(p.keys)]++
	}
	var wg sync.WaitGroup
	const workers = 2
	errs := make([]error, workers)
	for w := range workers {
		wg.Go(func() {
			for i := w; i < n && errs[w] == nil; i += workers {
				out[i], errs[w] = p.sign(chain, height, i%len(p.keys), nonces[i])
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// sign fills the memo until the transfer has its size: a memo of a few bytes more
// or less changes nothing else.
func (p *Purse) sign(chain [32]byte, height uint64, from int, nonce uint64) (Transfer, error) {
	to := p.addrs[(from+7)%len(p.addrs)]
	body := func(memo int) tx.Body {
		return tx.Body{Nonce: nonce, MaxFee: maxFee, ValidUntil: height + ahead,
			Payload: &tx.Transfer{To: to, Amount: 1 + fixed.Amount(nonce%1_000), Memo: make([]byte, memo)}}
	}
	memo := tx.MaxMemo / 2
	b := body(memo)
	auth := keys.SingleAuth(p.keys[from].Public())
	b.Kind, b.Sender = b.Payload.Kind(), p.addrs[from]
	bare := tx.Signed{Format: 1, Body: b, Reveal: &auth, Sigs: []tx.Sig{{Role: tx.RoleSender}}}
	memo += TxBytes - len(bare.Encode())
	if memo < 24 || memo > tx.MaxMemo { // below 24 the length would take another byte
		return Transfer{}, fmt.Errorf("a transfer of %d bytes needs a memo of %d bytes", TxBytes, memo)
	}
	s := tx.Sign(chain, body(memo), p.keys[from])
	raw := s.Encode()
	if len(raw) != TxBytes {
		return Transfer{}, fmt.Errorf("a transfer has %d bytes, not %d", len(raw), TxBytes)
	}
	return Transfer{Raw: raw, ID: s.Body.ID(chain)}, nil
}

// Nonce is the number of transfers that account i has signed.
func (p *Purse) Nonce(i int) uint64 { return p.nonce[i] }
