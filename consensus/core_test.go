// SPDX-License-Identifier: Apache-2.0

package consensus

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"reflect"
	"testing"

	"github.com/openledger/openledger/consensus/cert"
	"github.com/openledger/openledger/consensus/header"
	"github.com/openledger/openledger/consensus/msg"
	"github.com/openledger/openledger/consensus/valset"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/internal/merkle"
)

const wall = 1_700_000_000_000

// rig is one core of four equal validators, and the keys of all of them.
type rig struct {
	t    testing.TB
	cfg  Config
	keys []keys.PrivateKey
	core *Core
	now  uint64
}

// newRig makes a core for validator self, -1 for an observer, and starts it.
func newRig(t testing.TB, self int, records ...Record) *rig {
	r := &rig{t: t, now: 1}
	var entries []valset.Entry
	for i := range 4 {
		k := keys.FromSeed([32]byte{byte(i + 1)})
		r.keys = append(r.keys, k)
		entries = append(entries, valset.Entry{Address: keys.Address{byte(i)}, Key: k.Public(), Power: 1})
	}
	set, err := valset.New(0, entries)
	if err != nil {
		t.Fatal(err)
	}
	chainID := [32]byte{0xc0}
	r.cfg = Config{
		ChainID: chainID, Set: set, Seed: sha256.Sum256(chainID[:]), Params: LocalParams(),
		Root: Root{Header: header.Genesis(chainID, set.Hash(), 0, wall-1), StateRoot: [32]byte{1}, ReceiptsRoot: [32]byte{2}},
	}
	if self >= 0 {
		r.cfg.Key = r.keys[self]
	}
	if r.core, err = New(r.cfg); err != nil {
		t.Fatal(err)
	}
	r.step(Restored{Records: records})
	return r
}

func (r *rig) step(e Event) Output {
	return r.core.Step(Input{Now: r.now, Wall: wall + r.now, Event: e})
}

// say brings a message of another validator, through Decode and Verify.
func (r *rig) say(raw []byte) Output {
	r.t.Helper()
	m, err := msg.Decode(raw)
	if err != nil {
		r.t.Fatal(err)
	}
	v, err := msg.Verify(r.cfg.Set, r.cfg.ChainID, m)
	if err != nil {
		r.t.Fatal(err)
	}
	return r.step(Message{v})
}

func (r *rig) vote(i int, k cert.Kind, view uint64, block []byte) []byte {
	return msg.SignVote(r.cfg.ChainID, k, r.cfg.Set.Epoch(), view, block, i, r.keys[i]).Encode()
}

func (r *rig) cert(k cert.Kind, view uint64, block []byte, signers ...int) *cert.Certificate {
	var t msg.Tally
	var last *msg.Vote
	for _, i := range signers {
		last = msg.SignVote(r.cfg.ChainID, k, r.cfg.Set.Epoch(), view, block, i, r.keys[i])
		t.Add(last, 4, 1)
	}
	return t.Certificate(last)
}

// other returns a validator who is none of the given.
func other(not ...int) int {
	for i := range 4 {
		free := true
		for _, n := range not {
			free = free && n != i
		}
		if free {
			return i
		}
	}
	return -1
}

// propose is the lawful block of a view on a parent with the given leaves.
func (r *rig) propose(view uint64, parent *header.Header, leaves [][]byte, change func(*header.Header)) *msg.Proposal {
	leader := r.core.Leader(view)
	h := header.Header{
		Version: header.Version, ChainID: r.cfg.ChainID, View: view, Height: parent.Height + 1, TimeMS: wall + view, Parent: parent.Hash(),
		ParentView: parent.View, Justification: merkle.Root(leaves), Leader: uint64(leader), PayloadRoot: header.PayloadRoot(nil),
		StateRoot: [32]byte{1}, ReceiptsRoot: [32]byte{2}, SetHash: r.cfg.Set.Hash(), NextSet: []byte{}, VRF: []byte{},
		Beacon: parent.Beacon, CertifiedMS: parent.CertifiedMS,
	}
	if change != nil {
		change(&h)
	}
	return msg.SignProposal(h, nil, leaves, r.keys[leader])
}

func kinds(frames [][]byte) (out []string) {
	for _, f := range frames {
		m, err := msg.Decode(f)
		if err != nil {
			return append(out, err.Error())
		}
		out = append(out, m.Kind().String())
	}
	return out
}

func same(t testing.TB, what string, got, want any) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

func TestNewRefusesAConfigThatContradictsItself(t *testing.T) {
	good := newRig(t, 0).cfg
	for name, change := range map[string]func(*Config){
		"no set":                      func(c *Config) { c.Set = nil },
		"no Δ":                        func(c *Config) { c.Params.DeltaMS = 0 },
		"a cap below Δ":               func(c *Config) { c.Params.DeltaCapMS = 1 },
		"no heartbeat":                func(c *Config) { c.Params.HeartbeatMS = 0 },
		"a root of another chain":     func(c *Config) { c.Root.Header.ChainID[0] ^= 1 },
		"a root without its finality": func(c *Config) { c.Root.Header.View = 3 },
	} {
		cfg := good
		change(&cfg)
		if _, err := New(cfg); !errors.Is(err, ErrConfig) {
			t.Errorf("%s: %v", name, err)
		}
	}
	r := newRig(t, 0)
	cfg := good
	cfg.Root.Header.View, cfg.Root.Header.Height = 3, 1
	h := cfg.Root.Header.Hash()
	cfg.Root.Finalization = r.cert(cert.Finalize, 3, h[:], 0, 1)
	if _, err := New(cfg); !errors.Is(err, cert.ErrQuorum) {
		t.Errorf("a root with half a finalization: %v", err)
	}
	cfg.Root.Finalization = r.cert(cert.Finalize, 3, h[:], 0, 1, 2)
	if c, err := New(cfg); err != nil || c.View() != 4 {
		t.Errorf("a root with its finalization: %v", err)
	}
}

func TestRestoredComesFirstAndOnce(t *testing.T) {
	r := newRig(t, 0)
	if out := r.step(Restored{}); !errors.Is(out.Err, ErrOrder) {
		t.Errorf("twice: %v", out.Err)
	}
	if out := r.step(Work{true}); !reflect.DeepEqual(out, Output{}) {
		t.Error("a stopped core still speaks")
	}
	c, err := New(r.cfg)
	if err != nil {
		t.Fatal(err)
	}
	if out := c.Step(Input{Event: Work{true}}); !errors.Is(out.Err, ErrOrder) {
		t.Errorf("late: %v", out.Err)
	}
}

func TestNonsenseIsIgnored(t *testing.T) {
	r := newRig(t, 0)
	for _, e := range []Event{
		nil, 7, Message{}, Built{View: 9}, Available{}, Available{Valid: true}, Executed{}, Synced{}, Timer{},
		Synced{Root: Root{Header: header.Header{Height: 5, View: 7}}},
	} {
		if out := r.step(e); out.Err != nil || len(out.Send)+len(out.Append)+len(out.Decide) > 0 {
			t.Errorf("%T: %+v", e, out)
		}
	}
}

func TestALeaderProposesAndVotesBehindOneSync(t *testing.T) {
	r := newRig(t, 0)
	leader := r.core.Leader(1)
	r = newRig(t, leader)
	out := r.step(Work{true})
	b, ok := out.Requests[0].(Build)
	if !ok || b.View != 1 || b.Parent != r.cfg.Root.Header.Hash() {
		t.Fatalf("requests %+v", out.Requests)
	}
	out = r.step(Built{View: 1, Parent: b.Parent, Digests: [][32]byte{{7}}, Txs: 3})
	same(t, "sent", kinds(out.Send), []string{"Proposal", "Notarize"})
	if !out.Sync || len(out.Relay) != 0 {
		t.Error("an own signature leaves before the disk")
	}
	var order []RecordKind
	for _, rec := range out.Append {
		order = append(order, rec.Kind)
	}
	same(t, "records", order, []RecordKind{RecordBlock, RecordPropose, RecordNotarize})
	if f, ok := out.Requests[0].(Fetch); !ok || f.Proposal || len(f.Digests) != 1 {
		t.Errorf("requests %+v", out.Requests)
	}
	if e, ok := out.Requests[1].(Execute); !ok || e.Header.Txs != 3 || len(e.Digests) != 1 {
		t.Errorf("requests %+v", out.Requests)
	}
	if again := r.step(Built{View: 1, Parent: b.Parent}); len(again.Send) != 0 {
		t.Error("it proposes twice")
	}
}

func TestABuildOutOfBoundsBecomesAnEmptyBlock(t *testing.T) {
	leader := newRig(t, 0).core.Leader(1)
	r := newRig(t, leader)
	b := r.step(Work{true}).Requests[0].(Build)
	out := r.step(Built{View: 1, Parent: b.Parent, Digests: [][32]byte{{7}}, Txs: 0})
	m, err := msg.Decode(out.Send[0])
	if err != nil || m.Proposal.Header.Batches != 0 {
		t.Errorf("%+v, %v", m, err)
	}
}

// TestNotarizeOnlyWhatIsLawful offers one block to a validator in view 1.
func TestNotarizeOnlyWhatIsLawful(t *testing.T) {
	leader := newRig(t, 0).core.Leader(1)
	self := other(leader)
	for _, c := range []struct {
		name   string
		want   string
		change func(*header.Header)
		leaf   []byte
		event  Event
	}{
		{"a lawful block", "[Notarize]", nil, nil, nil},
		{"another state root", "[]", func(h *header.Header) { h.StateRoot[0] ^= 1 }, nil, nil},
		{"another receipts root", "[]", func(h *header.Header) { h.ReceiptsRoot[0] ^= 1 }, nil, nil},
		{"a height left out", "[]", func(h *header.Header) { h.Height++ }, nil, nil},
		{"the parent's time", "[]", func(h *header.Header) { h.TimeMS = wall - 1 }, nil, nil},
		{"a time of the far past", "[]", func(h *header.Header) { h.TimeMS = wall - 40_000 }, nil, nil},
		{"a time beyond the drift", "[]", func(h *header.Header) { h.TimeMS = wall + 700 }, nil, nil},
		{"a time within the drift", "[Notarize]", func(h *header.Header) { h.TimeMS = wall + 400 }, nil, nil},
		{"another beacon", "[]", func(h *header.Header) { h.Beacon[0] ^= 1 }, nil, nil},
		{"a certificate for the genesis", "[]", nil, newRig(t, 0).cert(cert.Notarize, 1, make([]byte, 32), 0, 1, 2).Encode(), nil},
	} {
		r := newRig(t, self)
		g := r.cfg.Root.Header
		if c.name == "a time of the far past" {
			r.cfg.Root.Header.TimeMS = wall - 50_000
			core, err := New(r.cfg)
			if err != nil {
				t.Fatal(err)
			}
			r.core, g = core, r.cfg.Root.Header
			r.step(Restored{})
		}
		leaf := c.leaf
		if leaf == nil {
			leaf = []byte{}
		} else {
			c.change = func(*header.Header) {}
		}
		p := r.propose(1, &g, [][]byte{leaf}, c.change)
		if c.leaf != nil { // Verify refuses a leaf of another view, so it comes as a record
			m := Record{Kind: RecordBlock, View: 1, Data: p.Encode()}
			r = newRig(t, self, m)
			same(t, c.name, kinds(r.step(Timer{}).Send), "[]")
			continue
		}
		same(t, c.name, kinds(r.say(p.Encode()).Send), c.want)
	}
}

func TestAVoteWaitsForTheClock(t *testing.T) {
	leader := newRig(t, 0).core.Leader(1)
	r := newRig(t, other(leader))
	p := r.propose(1, &r.cfg.Root.Header, [][]byte{{}}, func(h *header.Header) { h.TimeMS = wall + 700 })
	out := r.say(p.Encode())
	same(t, "deadline", out.Deadline, 200)
	r.now = out.Deadline
	same(t, "sent", kinds(r.step(Timer{}).Send), []string{"Notarize"})
}

func TestAVoteWaitsForTheBodyAndTheParentsResult(t *testing.T) {
	leader := newRig(t, 0).core.Leader(1)
	self := other(leader, newRig(t, 0).core.Leader(2))
	r := newRig(t, self)
	digests := [][32]byte{{7}}
	p := r.propose(1, &r.cfg.Root.Header, [][]byte{{}}, func(h *header.Header) {
		h.Batches, h.Txs, h.PayloadRoot = 1, 1, header.PayloadRoot(digests)
	})
	p = msg.SignProposal(p.Header, digests, p.Leaves, r.keys[leader])
	out := r.say(p.Encode())
	f, ok := out.Requests[0].(Fetch)
	if !ok || f.Proposal || len(f.Digests) != 1 || f.Holders[0] != leader || len(out.Send) != 0 {
		t.Fatalf("%+v", out)
	}
	out = r.step(Available{Block: f.Block, Valid: true})
	same(t, "sent", kinds(out.Send), []string{"Notarize"})
	if _, ok := out.Requests[0].(Execute); !ok {
		t.Fatalf("%+v", out.Requests)
	}
	// Three votes enter view 2, where the block is final as soon as it is executed.
	r.say(r.vote(leader, cert.Notarize, 1, f.Block[:]))
	out = r.say(r.vote(other(leader, self), cert.Notarize, 1, f.Block[:]))
	same(t, "sent", kinds(out.Send), []string{"Notarization", "Finalize"})
	same(t, "view", r.core.View(), 2)
	r.say(r.vote(leader, cert.Finalize, 1, f.Block[:]))
	out = r.say(r.vote(other(leader, self), cert.Finalize, 1, f.Block[:]))
	if len(out.Decide) != 0 {
		t.Error("decided before its result is there")
	}
	out = r.step(Executed{Block: f.Block, StateRoot: [32]byte{9}, ReceiptsRoot: [32]byte{8}})
	if len(out.Decide) != 1 || out.Decide[0].Block != f.Block || out.Decide[0].Finalization.View != 1 {
		t.Errorf("decide %+v", out.Decide)
	}
	if h, _ := r.core.Root(); h != f.Block || r.core.Proposal(h) == nil {
		t.Error("the root did not move, or its proposal is gone")
	}
}

func TestAnInvalidBodyIsNeverVotedFor(t *testing.T) {
	leader := newRig(t, 0).core.Leader(1)
	r := newRig(t, other(leader))
	digests := [][32]byte{{7}}
	p := r.propose(1, &r.cfg.Root.Header, [][]byte{{}}, func(h *header.Header) {
		h.Batches, h.Txs, h.PayloadRoot = 1, 1, header.PayloadRoot(digests)
	})
	p = msg.SignProposal(p.Header, digests, p.Leaves, r.keys[leader])
	hash := p.Header.Hash()
	r.say(p.Encode())
	same(t, "sent", kinds(r.step(Available{Block: hash}).Send), "[]")
	// If a quorum finalizes it all the same, our rules differ from theirs: stop.
	out := r.say(r.cert(cert.Finalize, 1, hash[:], others(r)...).Encode())
	if !errors.Is(out.Err, ErrStateMismatch) {
		t.Errorf("%v", out.Err)
	}
}

// others lists the validators besides the rig's own.
func others(r *rig) (out []int) {
	for i := range 4 {
		if i != r.core.Self() {
			out = append(out, i)
		}
	}
	return out
}

func TestAFinalHeaderWithOtherRootsStopsTheNode(t *testing.T) {
	for _, self := range []int{other(newRig(t, 0).core.Leader(1)), -1} {
		r := newRig(t, self)
		p := r.propose(1, &r.cfg.Root.Header, [][]byte{{}}, func(h *header.Header) { h.StateRoot[0] ^= 1 })
		hash := p.Header.Hash()
		r.say(p.Encode())
		signers := others(r)[:3]
		if out := r.say(r.cert(cert.Finalize, 1, hash[:], signers...).Encode()); !errors.Is(out.Err, ErrStateMismatch) {
			t.Errorf("validator %d: %v", self, out.Err)
		}
	}
}

func TestAFinalBlockBesideTheFinalChainStopsTheNode(t *testing.T) {
	r := newRig(t, -1)
	a := r.propose(1, &r.cfg.Root.Header, [][]byte{{}}, nil)
	ha := a.Header.Hash()
	r.say(a.Encode())
	r.say(r.cert(cert.Finalize, 1, ha[:], 0, 1, 2).Encode())
	r.step(Executed{Block: ha})
	// A fork: view 2 on genesis, as if view 1 had been nullified.
	b := r.propose(2, &r.cfg.Root.Header, [][]byte{{}, r.cert(cert.Nullify, 1, nil, 0, 1, 2).Encode()}, nil)
	hb := b.Header.Hash()
	r.say(b.Encode())
	if out := r.say(r.cert(cert.Finalize, 2, hb[:], 1, 2, 3).Encode()); !errors.Is(out.Err, ErrFork) {
		t.Errorf("%v", out.Err)
	}
}

func TestOurKeySignedElsewhereStopsTheNode(t *testing.T) {
	leader := newRig(t, 0).core.Leader(1)
	self := other(leader)
	block := make([]byte, 32)
	r := newRig(t, self)
	if out := r.say(r.vote(self, cert.Notarize, 1, block)); !errors.Is(out.Err, ErrTwin) {
		t.Errorf("a vote: %v", out.Err)
	}
	r = newRig(t, self)
	if out := r.say(r.cert(cert.Nullify, 1, nil, 0, 1, 2, 3).Encode()); !errors.Is(out.Err, ErrTwin) {
		t.Errorf("a certificate: %v", out.Err)
	}
	r = newRig(t, leader)
	if out := r.say(r.propose(1, &r.cfg.Root.Header, [][]byte{{}}, nil).Encode()); !errors.Is(out.Err, ErrTwin) {
		t.Errorf("a proposal: %v", out.Err)
	}
	// What we have said ourselves may come back.
	r = newRig(t, self)
	r.step(Work{true})
	r.now += 1_000
	raw := r.step(Timer{}).Send[0]
	if out := r.say(raw); out.Err != nil {
		t.Errorf("an echo: %v", out.Err)
	}
}

func TestARestartRepeatsTheSameBytes(t *testing.T) {
	leader := newRig(t, 0).core.Leader(1)
	r := newRig(t, leader)
	var log []Record
	b := r.step(Work{true}).Requests[0].(Build)
	out := r.step(Built{View: 1, Parent: b.Parent})
	log = append(log, out.Append...)
	first := out.Send
	r = newRig(t, leader, log...)
	out = r.core.Step(Input{Now: 1, Wall: wall + 5_000, Event: Work{true}})
	for _, raw := range out.Send {
		same(t, "a new word", kinds([][]byte{raw}), "nothing")
	}
	r = newRig(t, leader)
	c, err := New(r.cfg)
	if err != nil {
		t.Fatal(err)
	}
	out = c.Step(Input{Now: 1, Wall: wall, Event: Restored{log}})
	if !out.Sync {
		t.Error("it does not make sure of what it read")
	}
	for i, raw := range first {
		if i >= len(out.Send) || !bytes.Equal(out.Send[i], raw) {
			t.Fatalf("repeats %v, want %v", kinds(out.Send), kinds(first))
		}
	}
}

func TestDamagedRecordsStopTheNode(t *testing.T) {
	self := other(newRig(t, 0).core.Leader(1))
	r := newRig(t, self)
	vote := r.vote(self, cert.Nullify, 1, nil)
	for name, rec := range map[string]Record{
		"an unknown kind":        {Kind: 9, View: 1},
		"no vote":                {Kind: RecordNullify, View: 1, Data: []byte{1}},
		"a vote of another kind": {Kind: RecordFinalize, View: 1, Data: vote},
		"a vote of another view": {Kind: RecordNullify, View: 2, Data: vote},
		"another's vote":         {Kind: RecordNullify, View: 1, Data: r.vote(other(self), cert.Nullify, 1, nil)},
		"a vote as certificate":  {Kind: RecordCert, View: 1, Data: vote},
		"a vote as block":        {Kind: RecordBlock, View: 1, Data: vote},
		"an unknown proposal":    {Kind: RecordPropose, View: 1, Data: make([]byte, 32)},
		"a certificate as vote":  {Kind: RecordNullify, View: 1, Data: r.cert(cert.Nullify, 1, nil, 0, 1, 2).Encode()},
	} {
		c, err := New(r.cfg)
		if err != nil {
			t.Fatal(err)
		}
		if out := c.Step(Input{Event: Restored{[]Record{rec}}}); !errors.Is(out.Err, ErrRecord) {
			t.Errorf("%s: %v", name, out.Err)
		}
	}
	if _, err := DecodeRecord([]byte{1}); !errors.Is(err, ErrRecord) {
		t.Errorf("%v", err)
	}
	rec := Record{Kind: RecordNullify, View: 1, Data: vote}
	if got, err := DecodeRecord(rec.Encode()); err != nil || !reflect.DeepEqual(got, rec) {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestAnObserverSaysAndRecordsNothing(t *testing.T) {
	r := newRig(t, -1)
	r.step(Work{true})
	r.say(r.propose(1, &r.cfg.Root.Header, [][]byte{{}}, nil).Encode())
	r.now += 10_000
	out := r.step(Timer{})
	if len(out.Send)+len(out.Append)+len(out.Relay) > 0 || out.Sync {
		t.Errorf("%+v", out)
	}
	unknown := make([]byte, 32)
	out = r.say(r.cert(cert.Finalize, 9, unknown, 0, 1, 2).Encode())
	if s, ok := out.Requests[len(out.Requests)-1].(Sync); !ok || s.Target.View != 9 {
		t.Errorf("requests %+v", out.Requests)
	}
}

func TestSyncedMovesTheRoot(t *testing.T) {
	r := newRig(t, 0)
	h := r.cfg.Root.Header
	h.Parent, h.View, h.Height = h.Hash(), 40, 17
	hash := h.Hash()
	fin := r.cert(cert.Finalize, 40, hash[:], 1, 2, 3)
	r.step(Synced{Root{Header: h, Finalization: fin, StateRoot: [32]byte{5}}})
	got, head := r.core.Root()
	same(t, "root", got, hash)
	same(t, "height", head.Height, 17)
	same(t, "view", r.core.View(), 41)
	out := r.core.Certificates(0, 100, 1<<16)
	if len(out) != 1 || !bytes.Equal(out[0], fin.Encode()) {
		t.Errorf("serves %v", kinds(out))
	}
	if len(r.core.Certificates(0, 100, 10)) != 0 {
		t.Error("it serves more than the limit")
	}
}

func TestWant(t *testing.T) {
	r := newRig(t, 3)
	block := make([]byte, 32)
	r.say(r.vote(0, cert.Notarize, 1, block))
	r.say(r.cert(cert.Nullify, 2, nil, 0, 1, 2).Encode())
	p := r.propose(1, &r.cfg.Root.Header, [][]byte{{}}, nil)
	short := *p
	short.Leaves = nil
	far := r.propose(500, &r.cfg.Root.Header, nil, nil)
	r.core.Step(Input{Now: 2, Wall: wall, Event: Timer{}})
	for _, c := range []struct {
		name string
		want bool
		raw  []byte
	}{
		{"a new vote", true, r.vote(1, cert.Notarize, 1, block)},
		{"a vote that was counted", false, r.vote(0, cert.Notarize, 1, block)},
		{"a conflicting vote", true, r.vote(0, cert.Notarize, 1, bytes.Repeat([]byte{1}, 32))},
		{"a vote for a certified view", false, r.vote(1, cert.Nullify, 2, nil)},
		{"a vote of the current view", true, r.vote(1, cert.Nullify, 3, nil)},
		{"a vote at the end of the window", true, r.vote(1, cert.Nullify, 3+futureViews, nil)},
		{"a vote beyond the window", false, r.vote(1, cert.Nullify, 4+futureViews, nil)},
		{"a known certificate", false, r.cert(cert.Nullify, 2, nil, 1, 2, 0).Encode()},
		{"a new certificate of any view", true, r.cert(cert.Nullify, 9_999, nil, 1, 2, 0).Encode()},
		{"a proposal", true, p.Encode()},
		{"a proposal beyond the window", false, far.Encode()},
	} {
		m, err := msg.Decode(c.raw)
		if err != nil {
			t.Fatal(err)
		}
		if got := r.core.Want(m); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
	r.say(short.Encode())
	for raw, want := range map[string]bool{string(p.Encode()): true, string(short.Encode()): false} {
		m, _ := msg.Decode([]byte(raw))
		if got := r.core.Want(m); got != want {
			t.Errorf("a known proposal with %d leaves: %v", len(m.Proposal.Leaves), got)
		}
	}
}

// TestStepDependsOnItsInputsOnly plays the same inputs on two cores (CONS-04).
func TestStepDependsOnItsInputsOnly(t *testing.T) {
	a, b := newRig(t, 0), newRig(t, 0)
	block := make([]byte, 32)
	for i := range 200 {
		view := uint64(i/8 + 1)
		raw := a.vote(1+i%3, cert.Notarize+cert.Kind(i%2), view, block[:32*(1-i%2)])
		a.now, b.now = uint64(40*i), uint64(40*i)
		if x, y := a.say(raw), b.say(raw); !reflect.DeepEqual(x, y) {
			t.Fatalf("input %d: %+v\nand %+v", i, x, y)
		}
	}
}

// FuzzRestored feeds a core records of any content.
func FuzzRestored(f *testing.F) {
	r := newRig(f, 0)
	leader := r.core.Leader(1)
	p := r.propose(1, &r.cfg.Root.Header, [][]byte{{}}, nil)
	f.Add(Record{Kind: RecordNullify, View: 1, Data: r.vote(0, cert.Nullify, 1, nil)}.Encode(), Record{Kind: RecordEnter, View: 2}.Encode())
	f.Add(Record{Kind: RecordBlock, View: 1, Data: p.Encode()}.Encode(), Record{Kind: RecordPropose, View: 1, Data: make([]byte, leader)}.Encode())
	f.Add(Record{Kind: RecordCert, View: 5, Data: r.cert(cert.Finalize, 5, make([]byte, 32), 1, 2, 3).Encode()}.Encode(), []byte{})
	f.Fuzz(func(t *testing.T, a, b []byte) {
		var list []Record
		for _, raw := range [][]byte{a, b} {
			rec, err := DecodeRecord(raw)
			if err != nil {
				continue
			}
			if !bytes.Equal(rec.Encode(), raw) {
				t.Errorf("%x decodes and encodes to %x", raw, rec.Encode())
			}
			list = append(list, rec)
		}
		c, err := New(r.cfg)
		if err != nil {
			t.Fatal(err)
		}
		c.Step(Input{Now: 1, Wall: wall, Event: Restored{list}})
		c.Step(Input{Now: 20_000, Wall: wall, Event: Timer{}})
	})
}

// votesAhead are verified votes of two validators for 200 views, which complete
// nothing.
func votesAhead(t testing.TB) (list []Message) {
	r, block := newRig(t, 3), make([]byte, 32)
	for v := uint64(1); v <= 200; v++ {
		for i := range 2 {
			m, _ := msg.Decode(r.vote(i, cert.Notarize, v, block))
			ok, err := msg.Verify(r.cfg.Set, r.cfg.ChainID, m)
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, Message{ok})
		}
	}
	return list
}

// TestAVoteAllocatesNothing counts what counting a vote takes, but for the views:
// 16 of them are two pieces of memory.
func TestAVoteAllocatesNothing(t *testing.T) {
	list, r, i := votesAhead(t), newRig(t, 3), 0
	if n := testing.AllocsPerRun(len(list)-1, func() { r.step(list[i]); i++ }); n != 0 {
		t.Errorf("%v allocations per vote", n)
	}
}

// BenchmarkStepVote is one vote that completes nothing (section 13: at most
// 2 µs and no allocation).
func BenchmarkStepVote(b *testing.B) {
	list, r := votesAhead(b), newRig(b, 3)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if i%len(list) == 0 {
			b.StopTimer()
			r.core = newRig(b, 3).core
			b.StartTimer()
		}
		r.step(list[i%len(list)])
		i++
	}
}
