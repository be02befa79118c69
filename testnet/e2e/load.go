// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"sync"
	"time"

	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/ledger/tx"
	"github.com/openledger/openledger/rpc/api"
	"github.com/openledger/openledger/rpc/client"
)

// Load is a stream of transfers at a fixed rate: transaction i is due i/Rate
// seconds after the start, whether or not earlier ones are final. Senders take
// turns, each with its own run of nonces.
type Load struct {
	Nodes    []*client.Client // each sender begins with one of them
	Senders  []keys.PrivateKey
	To       keys.Address
	Rate     float64 // transactions per second
	For      time.Duration
	Patience time.Duration // how long one transaction may take; 0 means a minute
}

// Sent is the fate of one transaction.
type Sent struct {
	ID    tx.ID
	Bytes []byte
	Took  time.Duration // from when it was due to the first report that it is final
	Tries int           // submissions, more than one after errors
	Final api.TxStatus  // as the node reported it; Status is "final" or empty
	Err   error         // why it is not final
}

const (
	maxFee    = fixed.OPEN / 1_000
	retryWait = 100 * time.Millisecond
)

// Run sends the load and returns when every transaction is final or was given up.
// Errors: those of asking for the chain, the height and the first nonces.
func (l Load) Run(ctx context.Context) ([]Sent, error) {
	if l.Patience == 0 {
		l.Patience = time.Minute
	}
	status, err := l.Nodes[0].NodeStatus(ctx, api.Empty{})
	if err != nil {
		return nil, err
	}
	nonces := make([]uint64, len(l.Senders))
	for i, k := range l.Senders {
		a, err := l.Nodes[0].AccountGet(ctx, api.AccountParams{Address: keys.SingleAuth(k.Public()).Address()})
		if err != nil {
			return nil, err
		}
		nonces[i] = a.Nonce
	}
	out := make([]Sent, int(l.Rate*l.For.Seconds()))
	var wg sync.WaitGroup
	start := time.Now()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for i := range out {
		due := start.Add(time.Duration(float64(i) / l.Rate * float64(time.Second)))
		timer.Reset(time.Until(due))
		select {
		case <-timer.C:
		case <-ctx.Done():
			wg.Wait()
			return out[:i], ctx.Err()
		}
		from := i % len(l.Senders)
		body := tx.Body{Nonce: nonces[from], MaxFee: maxFee, ValidUntil: status.Height + 5_000,
			Payload: &tx.Transfer{To: l.To, Amount: fixed.Amount(1 + i)}}
		nonces[from]++
		signed := tx.Sign(status.Chain, body, l.Senders[from])
		out[i] = Sent{ID: signed.Body.ID(status.Chain), Bytes: signed.Encode()}
		wg.Go(func() { l.submit(ctx, &out[i], from, due) })
	}
	wg.Wait()
	return out, nil
}

// submit sends one transaction until it is final; after an error another node
// gets it.
func (l Load) submit(ctx context.Context, s *Sent, node int, due time.Time) {
	ctx, cancel := context.WithTimeout(ctx, l.Patience)
	defer cancel()
	for ; ; node++ {
		s.Tries++
		got, err := l.Nodes[node%len(l.Nodes)].TxSubmit(ctx, api.TxSubmitParams{Bytes: s.Bytes})
		if s.Err = err; err == nil && got.Status == "final" {
			s.Final, s.Took = got, time.Since(due)
			return
		}
		if !wait(ctx, retryWait) {
			return
		}
	}
}

// wait returns false if ctx ended before d has passed.
func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
