// SPDX-License-Identifier: Apache-2.0

package member

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/openledger/openledger/consensus/cert"
	"github.com/openledger/openledger/ledger/state"
)

// ErrVotes reports an operator's word for a validator that needs none.
var ErrVotes = errors.New("this validator has no lost log to resume from")

// askFirst is how long others are asked in vain before the operator's word counts.
const askFirst = 30 * time.Second

// Standing is how a validator that does not vote stands, for its operator (CONS-45).
type Standing struct {
	Reason    string // why it does not vote
	Epoch     uint64 // of the views below
	End       uint64 // its guard knows that nothing of a later view was signed; 0: it knows nothing
	Bound     uint64 // a new log was begun, and nothing up to this view is signed; 0: not yet
	Nullify   uint64 // but Nullify from this view on, by an earlier word or the log; 0: none
	Certified uint64 // highest view shown to be certified by those who answered
	Answered  []int  // set indices of the other validators
	Silent    []int
	Power     uint64 // of those who answered
	Quorum    uint64
	IdleMS    uint64 // since the time of the newest final block
	// Refusal says why the operator's word is not taken now; empty: it would be.
	Refusal string
}

// word is what an operator said: of views of the epoch above certified, Nullify alone
// may be signed, though the key may have signed something that nobody remembers.
type word struct{ epoch, certified uint64 }

// Resume asks the other validators how far they are and says how this one stands.
// With give it takes that as the operator's word, unless Refusal says why not: the
// validator then begins a new log, if it has not yet, and signs Nullify of the views
// that it otherwise passes over in silence, so that a network of which more than f
// validators have lost their logs gets past those views. Cost: a question to each
// validator, at most 3 s. Errors: ErrVotes, those of the chain.
func (m *Member) Resume(ctx context.Context, give bool) (Standing, error) {
	a := m.Abstains()
	if a == nil {
		return Standing{}, ErrVotes
	}
	set, head := m.cfg.Chain.Set(), m.cfg.Chain.Head()
	h, _, err := m.cfg.Chain.Header(head.Height)
	if err != nil {
		return Standing{}, err
	}
	s := Standing{Reason: a.Warning(), Epoch: set.Epoch(), Bound: a.Bound, Nullify: a.Nullify, Quorum: set.Quorum()}
	if a.Lost != nil && a.Lost.Epoch == s.Epoch {
		s.End = a.Lost.End
	} else if a.Lost == nil {
		s.End = a.Bound
	}
	if h.Epoch == s.Epoch {
		s.Certified = h.View
	}
	now := m.cfg.Driver.Clock.Wall()
	s.IdleMS = now - min(now, h.TimeMS)
	m.poll(ctx, &s)
	if s.Refusal, err = m.refusal(a, &s); err != nil || s.Refusal != "" || !give {
		return s, err
	}
	m.cfg.Log.Warn("the operator lets this validator resume", "epoch", s.Epoch, "certified", s.Certified)
	m.word.Store(&word{s.Epoch, s.Certified})
	if stop := m.interrupt.Load(); stop != nil {
		(*stop)()
	}
	return s, nil
}

// poll asks all other validators at once.
func (m *Member) poll(ctx context.Context, s *Standing) {
	set := m.cfg.Chain.Set()
	views, errs := make([]uint64, set.Len()), make([]error, set.Len())
	self := set.Index(m.cfg.Key.Public())
	var wg sync.WaitGroup
	for i := range views {
		if i != self {
			wg.Go(func() { views[i], errs[i] = m.ask(ctx, set, i, func(*cert.Certificate) bool { return true }) })
		}
	}
	wg.Wait()
	s.Answered, s.Silent = []int{}, []int{}
	for i, view := range views {
		switch {
		case i == self:
		case errs[i] != nil:
			s.Silent = append(s.Silent, i)
		default:
			s.Answered, s.Power, s.Certified = append(s.Answered, i), s.Power+set.Power(i), max(s.Certified, view)
		}
	}
}

// refusal says why no word is needed, or not yet: the chain goes on without this
// validator, or a quorum answers.
func (m *Member) refusal(a *Abstaining, s *Standing) (string, error) {
	view, err := m.cfg.Chain.View()
	if err != nil {
		return "", err
	}
	p, err := state.GetParams(view)
	if err != nil {
		return "", err
	}
	still := 3 * p.Consensus.HeartbeatMS // a network that goes on makes a block each
	asked := m.cfg.Driver.Clock.Now() - a.since
	switch {
	case a.Lost == nil && a.Epoch != s.Epoch:
		return "a new epoch has begun; this validator votes again by itself", nil
	case a.Lost != nil && a.Lost.Epoch > s.Epoch:
		return fmt.Sprintf("this key has signed in epoch %d and the ledger here is in epoch %d: let it catch up first, or put the ledger back", a.Lost.Epoch, s.Epoch), nil
	case s.Nullify > 0 && s.Nullify <= s.Certified+1:
		return fmt.Sprintf("it has the word: the network gets past view %d when the operators of enough other validators have given theirs", s.Bound), nil
	case a.Lost != nil && s.Power >= s.Quorum:
		return "validators with a quorum of power answer; this one resumes by itself", nil
	case s.IdleMS < still:
		return fmt.Sprintf("the newest final block is %d s old: the network goes on without this validator, which votes again by itself; try again when it has stood still for %d s",
			s.IdleMS/1000, still/1000), nil
	case len(s.Answered)+len(s.Silent) > 0 && asked < uint64(askFirst.Milliseconds()):
		return fmt.Sprintf("the others have been asked for %d s only; try again after %d s", asked/1000, askFirst/time.Second), nil
	}
	return "", nil
}

// resume begins the present epoch again with the operator's word in the guard.
func (m *Member) resume(w *word) error {
	g, ok := m.log.(guarded)
	if !ok || w.epoch != m.cfg.Chain.Set().Epoch() {
		return nil // it votes meanwhile
	}
	if err := g.Permit(w.epoch, w.certified+1); err != nil {
		return err
	}
	if err := m.cfg.Chain.Sync(); err != nil {
		return err
	}
	err := m.Close()
	m.log = nil
	return err
}
