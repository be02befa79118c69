// SPDX-License-Identifier: Apache-2.0

package state

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/openledger/openledger/internal/content"
	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/internal/merkle"
)

// naive is a View over a sorted list.
type naive []merkle.KV

func (n naive) Get(key []byte) ([]byte, error) {
	for _, kv := range n {
		if bytes.Equal(kv.Key, key) {
			return kv.Value, nil
		}
	}
	return nil, nil
}

func (n naive) Scan(prefix, after []byte, limit int) ([]merkle.KV, error) {
	var out []merkle.KV
	for _, kv := range n {
		if bytes.HasPrefix(kv.Key, prefix) && bytes.Compare(kv.Key, after) > 0 && len(out) < limit {
			out = append(out, kv)
		}
	}
	return out, nil
}

func (n *naive) put(key, value []byte) {
	*n = slices.DeleteFunc(slices.Clone(*n), func(kv merkle.KV) bool { return bytes.Equal(kv.Key, key) })
	if value == nil {
		return
	}
	*n = append(*n, merkle.KV{Key: key, Value: value})
	slices.SortFunc(*n, func(a, b merkle.KV) int { return bytes.Compare(a.Key, b.Key) })
}

func drawKey(rt *rapid.T) []byte {
	return []byte(rapid.StringMatching(`[ab]{1,3}`).Draw(rt, "key"))
}

func sameKVs(a, b []merkle.KV) bool {
	return slices.EqualFunc(a, b, func(x, y merkle.KV) bool { return bytes.Equal(x.Key, y.Key) && bytes.Equal(x.Value, y.Value) })
}

// TestOverlayAgreesWithANaiveCopy plays random writes, marks, reverts, reads and
// scans on an overlay of an overlay and on a plain sorted list.
func TestOverlayAgreesWithANaiveCopy(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var base naive
		for range rapid.IntRange(0, 6).Draw(rt, "base") {
			base.put(drawKey(rt), []byte{rapid.Byte().Draw(rt, "v")})
		}
		low := NewOverlay(base)
		twin := slices.Clone(base)
		for range rapid.IntRange(0, 3).Draw(rt, "low") {
			k, v := drawKey(rt), []byte{rapid.Byte().Draw(rt, "v")}
			low.Put(k, v)
			twin.put(k, v)
		}
		o := NewOverlay(low)
		type point struct {
			mark int
			twin naive
		}
		var marks []point
		for range rapid.IntRange(0, 30).Draw(rt, "steps") {
			k := drawKey(rt)
			switch rapid.IntRange(0, 5).Draw(rt, "op") {
			case 0, 1:
				v := []byte{rapid.Byte().Draw(rt, "v")}
				o.Put(k, v)
				twin.put(k, v)
			case 2:
				o.Delete(k)
				twin.put(k, nil)
			case 3:
				marks = append(marks, point{o.Mark(), slices.Clone(twin)})
			case 4:
				if n := len(marks); n > 0 {
					o.Revert(marks[n-1].mark)
					twin, marks = marks[n-1].twin, marks[:n-1]
				}
			}
			got, err := o.Get(k)
			want, _ := twin.Get(k)
			if err != nil || !bytes.Equal(got, want) {
				rt.Fatalf("Get(%s) = %x, want %x", k, got, want)
			}
			prefix, limit := []byte(rapid.StringMatching(`[ab]{0,2}`).Draw(rt, "prefix")), rapid.IntRange(0, 5).Draw(rt, "limit")
			var after []byte
			if rapid.Bool().Draw(rt, "paged") {
				after = drawKey(rt)
			}
			page, err := o.Scan(prefix, after, limit)
			wantPage, _ := twin.Scan(prefix, after, limit)
			if err != nil || !sameKVs(page, wantPage) {
				rt.Fatalf("Scan(%s, %s, %d) = %v, want %v", prefix, after, limit, page, wantPage)
			}
		}
		// The writes, applied below, give the same contents; they ascend.
		flat := slices.Clone(base)
		for _, layer := range []*Overlay{low, o} {
			ws := layer.Writes()
			for i, kv := range ws {
				if i > 0 && bytes.Compare(ws[i-1].Key, kv.Key) >= 0 {
					rt.Fatal("writes do not ascend")
				}
				flat.put(kv.Key, kv.Value)
			}
		}
		if !sameKVs(flat, twin) {
			rt.Fatalf("writes give %v, want %v", flat, twin)
		}
	})
}

// failing is a View that cannot be read.
type failing struct{ err error }

func (f failing) Get([]byte) ([]byte, error)                   { return nil, f.err }
func (f failing) Scan(_, _ []byte, _ int) ([]merkle.KV, error) { return nil, f.err }

func TestOverlayKeepsTheFirstError(t *testing.T) {
	errDisk := errors.New("disk")
	o := NewOverlay(failing{errDisk})
	o.Put([]byte("a"), []byte{1})
	if v, err := o.Get([]byte("a")); err != nil || len(v) != 1 || o.Err() != nil {
		t.Errorf("own write: %v, %v", v, err)
	}
	if _, err := o.Get([]byte("b")); !errors.Is(err, errDisk) {
		t.Error(err)
	}
	if _, err := o.Scan(nil, nil, 1); !errors.Is(err, errDisk) || !errors.Is(o.Err(), errDisk) {
		t.Error(err, o.Err())
	}
	s := NewOverlay(failing{errDisk})
	if _, err := s.Scan(nil, nil, 1); !errors.Is(err, errDisk) || !errors.Is(s.Err(), errDisk) {
		t.Error(err, s.Err())
	}
}

func TestLoadRefusesADamagedRecord(t *testing.T) {
	o := NewOverlay(naive{})
	o.Put(ClockKey(), []byte{0x80})
	if _, err := GetClock(o); err == nil || errors.Is(err, ErrUnknown) {
		t.Errorf("%v", err)
	}
	if _, err := GetParams(o); !errors.Is(err, ErrUnknown) {
		t.Errorf("%v", err)
	}
	if a, err := GetAccount(o, keys.Address{1}); err != nil || a.Nonce != 0 || a.Free != 0 {
		t.Errorf("%+v, %v", a, err)
	}
}

func TestSTA01KeysAreDistinctAndShort(t *testing.T) {
	id, addr := ID{1}, keys.Address{1}
	cid := content.Sum(nil)
	all := [][]byte{
		AccountKey(addr), FaucetKey(addr), ValidatorsKey(), DatasetKey(id), DatasetContentKey(cid), DatasetRowsKey(id),
		DatanetKey(id), DatanetNameKey("x"), ModelKey(id), ModelOfTaskKey(id), TaskKey(id), OperatorKey(addr), OfferKey(id),
		OperatorCountKey(), ChannelKey(id), LaneKey(id, id), CommitKey(id), CommitOfKey(addr, 1, id), PendingKey(addr, 1, id),
		SummaryKey(1), ClaimedKey(id, 1), TermsKey(id), ParamsKey(), ClockKey(), AttributionKey(id),
		DueKey(DueCTime, 5, DueTask, id[:]), DueKey(DueCTime, 5, DueChannel, id[:]), DueKey(DueEpoch, 5, DuePending, PendingKey(addr, 1, id)[2:]), DueKey(DueEpoch, 5, DueCommit, id[:]),
	}
	seen := map[string]bool{}
	for _, k := range all {
		if len(k) > merkle.MaxKey || len(k) < 2 || seen[string(k)] {
			t.Errorf("key %x", k)
		}
		seen[string(k)] = true
	}
	// A prefix that is scanned must not reach into another listing.
	for _, p := range [][]byte{key(modDataset, 0), key(modTask, 0), DuePrefix(DueCTime), DuePrefix(DueEpoch), PendingPrefix()} {
		n := 0
		for _, k := range all {
			if bytes.HasPrefix(k, p) {
				n++
			}
		}
		if want := map[bool]int{true: 2, false: 1}[p[0] == modDue]; n != want {
			t.Errorf("prefix %x covers %d keys, want %d", p, n, want)
		}
	}
}

func TestEXE03DueKeysSortByTimeAndComeBack(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		draw := func(n string) (uint64, byte, []byte) {
			return rapid.Uint64().Draw(rt, n), rapid.Byte().Draw(rt, n), rapid.SliceOfN(rapid.Byte(), 1, 80).Draw(rt, n)
		}
		at, kind, id := draw("a")
		gotAt, gotKind, gotID, ok := ParseDue(DueCTime, DueKey(DueCTime, at, kind, id))
		if !ok || gotAt != at || gotKind != kind || !bytes.Equal(gotID, id) {
			rt.Fatal("does not come back")
		}
		at2, kind2, id2 := draw("b")
		if at < at2 && bytes.Compare(DueKey(DueCTime, at, kind, id), DueKey(DueCTime, at2, kind2, id2)) >= 0 {
			rt.Fatal("order")
		}
	})
	for _, k := range [][]byte{nil, {0x14, 1}, ClockKey(), DuePrefix(DueCTime), append(DuePrefix(DueCTime), make([]byte, 9)...), DueKey(DueEpoch, 1, 1, []byte{1})} {
		if _, _, _, ok := ParseDue(DueCTime, k); ok {
			t.Errorf("%x is taken for a due-queue key", k)
		}
	}
}

func TestListingsPage(t *testing.T) {
	o := NewOverlay(naive{})
	for i := range byte(7) {
		id := ID{i}
		o.Put(DatanetKey(id), enc.Encode(Datanet{Name: fmt.Sprint(i)}))
		o.Put(DatanetNameKey(fmt.Sprint(i)), enc.Encode(id))
	}
	var names []string
	var after *ID
	for {
		page, err := ListDatanets(o, after, 3)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		for _, e := range page {
			names = append(names, e.Value.Name)
		}
		after = &page[len(page)-1].ID
	}
	if fmt.Sprint(names) != "[0 1 2 3 4 5 6]" {
		t.Error(names)
	}
	if id, err := DatanetByName(o, "4"); err != nil || id != (ID{4}) {
		t.Error(id, err)
	}
	o.Put(append(DatanetKey(ID{9}), 1), []byte{0x80})
	if _, err := ListDatanets(o, nil, 100); err == nil {
		t.Error("a key of another length is listed")
	}
}

func TestINV12ParametersOfEachNetworkAreInBounds(t *testing.T) {
	for name, p := range map[string]Params{"local": LocalParams(), "testnet": TestnetParams(), "main": MainParams()} {
		if err := p.Check(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestINV12ParametersOutOfBounds(t *testing.T) {
	if err := LocalParams().Check(); err != nil {
		t.Fatal(err)
	}
	for name, f := range map[string]func(p *Params){
		"kind_weight":      func(p *Params) { p.KindWeight = 0 },
		"max_block_weight": func(p *Params) { p.MaxBlockWeight = 999_999 },
		"base_fee_min":     func(p *Params) { p.BaseFeeMin = 0 },
		"byte_deposit":     func(p *Params) { p.ByteDeposit = 100_001 },
		"valid_ahead":      func(p *Params) { p.ValidAhead = 0 },
		"epoch_ms":         func(p *Params) { p.EpochMS = 0 },
		"due_per_block":    func(p *Params) { p.DuePerBlock = 0 },
		"faucet_drip":      func(p *Params) { p.FaucetDrip = Total + 1 },
		"compute_bond":     func(p *Params) { p.ComputeBond = 0 },
		"max_operators":    func(p *Params) { p.MaxOperators = 5_000 },
		"model_stake":      func(p *Params) { p.ModelStake = 0 },
		"attribution_bond": func(p *Params) { p.AttrBond = 0 },
		"channel windows":  func(p *Params) { p.ChannelMinMS = p.ChannelMaxMS + 1 },
		"channel_life_ms":  func(p *Params) { p.ChannelLifeMS = p.ChannelMinMS - 1 },
		"commit_epochs":    func(p *Params) { p.CommitEpochs = 0 },
		"rates":            func(p *Params) { p.Rates.Burn = 99 },
	} {
		p := LocalParams()
		f(&p)
		if p.Check() == nil {
			t.Errorf("%s out of bounds passes", name)
		}
	}
}

func TestEXE04AnEpochIsDueByHeaderTime(t *testing.T) {
	p := LocalParams()
	const start = 1_700_000_000_123
	c := Clock{EpochStartMS: start}
	for ms, want := range map[uint64]bool{0: false, start - 1: false, start: false, start + 9_999: false, start + 10_000: true, ^uint64(0): true} {
		if c.Due(p, ms) != want {
			t.Errorf("the epoch is due at %d: %v", ms, !want)
		}
	}
}

func TestModulesAreSortedAndNamed(t *testing.T) {
	for i, m := range Modules {
		if m.Address != keys.ModuleAddress(m.Name) || ModuleName(m.Address) != m.Name {
			t.Error(m.Name)
		}
		if i > 0 && Modules[i-1].Name >= m.Name {
			t.Errorf("%s is out of order", m.Name)
		}
	}
	if ModuleName(keys.Address{1}) != "" {
		t.Error("a person is a module")
	}
}

func TestACC01AnAccountEncodesAsTheDesignSays(t *testing.T) {
	// [auth|null, nonce, free, delegates[], vest|null]
	if got := fmt.Sprintf("%x", enc.Encode(Account{Nonce: 3, Free: 500})); got != "85f6031901f480f6" {
		t.Error(got)
	}
}

func TestRecordsRoundTrip(t *testing.T) {
	cid := content.Sum(nil)
	for _, rec := range []struct{ in, out any }{
		{Dataset{Content: cid, Manifest: cid, Name: "x"}, &Dataset{}},
		{Model{Weights: cid, Datasets: []ID{{1}}}, &Model{}},
		{Datanet{Terms: []ID{{1}, {2}}}, &Datanet{}},
		{Operator{PeerID: []byte{1}}, &Operator{}},
		{Offer{Ask: 5}, &Offer{}}, {Attribution{W: 1 << 40}, &Attribution{}},
		{Terms{SPDX: "MIT"}, &Terms{}}, {LocalParams(), &Params{}}, {Clock{Height: 1}, &Clock{}},
	} {
		b := enc.Encode(rec.in)
		if err := enc.Decode(b, rec.out); err != nil || !bytes.Equal(enc.Encode(rec.out), b) {
			t.Errorf("%T: %v", rec.in, err)
		}
	}
}

func TestRecordsHaveAJSONForm(t *testing.T) {
	cid := content.Sum(nil)
	auth := keys.SingleAuth(keys.PublicKey{1})
	for _, rec := range []struct{ in, out any }{
		{Account{Auth: &auth, Nonce: 1, Free: 5}, &Account{}},
		{Dataset{Content: cid, Manifest: content.SumSHA256(nil), Name: "x", Terms: ID{1}}, &Dataset{}},
		{Model{Weights: cid, Datasets: []ID{{1}}}, &Model{}},
		{Datanet{Terms: []ID{{1}, {2}}}, &Datanet{}},
		{Operator{PeerID: []byte{1}}, &Operator{}},
		{Offer{Ask: 5}, &Offer{}}, {Attribution{W: 1 << 40, Params: []byte{2}}, &Attribution{}},
		{Terms{SPDX: "MIT", Flags: 3}, &Terms{}}, {LocalParams(), &Params{}}, {Clock{Height: 1}, &Clock{}},
		{Validator{Power: 3}, &Validator{}}, {Balance{Name: "x", Amount: 1}, &Balance{}},
	} {
		text, err := json.Marshal(rec.in)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(text, rec.out); err != nil || !bytes.Equal(enc.Encode(rec.out), enc.Encode(rec.in)) {
			t.Errorf("%T: %v\n%s", rec.in, err, text)
		}
	}
}
