// SPDX-License-Identifier: Apache-2.0

package exec

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/openledger/openledger/internal/bls"
	"github.com/openledger/openledger/internal/content"
	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/ledger"
	"github.com/openledger/openledger/ledger/genesis"
	"github.com/openledger/openledger/ledger/state"
	"github.com/openledger/openledger/ledger/tx"
)

// A story is a list of commands with their whole trace:
//
//	block [after=MS]      one block; each line "WHO KIND field=value… [as=NAME]"
//	wait ms=MS            empty blocks until so much chain time has passed
//	balance NAME…         free balances
//	task NAME             where a task stands
//	set                   the current validators with their powers
//	offence by=WHO of=(VALIDATOR…) epoch=E view=V class=slash|jail
//	                      a block with the evidence that each signed two blocks or
//	                      put an invalid transaction into a batch
//	pool NAME             a validator's pool and who holds it
//
// Values: a person's or object's NAME, root(X), salt(X), blake3(X), sha256(X),
// 3OPEN or 5nOPEN, a number, "text", [list], {json}. The verdict of a CheckCommit
// or CheckReveal is says=ROOT/OUTPUT salt=X. A ValidatorRegister names its keys by a
// number: keys=N, and proof=wrong or possession=wrong break a proof.

var cast = []string{"alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi", "ivan", "judy", "karl", "lena"}

type story struct {
	c     *chain
	ids   map[string]string // name → JSON text of an id, address or root
	names map[ID]string     // the way back, for the trace
}

// founders start a story: how many validators, each of 10 OPEN, if not the two of
// newChain.
var founders = map[string]int{"slash": 8}

func newStory(t testing.TB, founders int) *story {
	s := &story{ids: map[string]string{}, names: map[ID]string{}}
	if founders == 0 {
		s.c = newChain(t)
	} else {
		cfg := genesis.LocalConfig{Network: genesis.Unkeyed, TimeMS: startMS}
		for n := range founders {
			cfg.Validators = append(cfg.Validators, genesis.Member{Address: addr(leaderNo + n), VoteKey: key(leaderNo + n).Public(), Power: 10})
			cfg.Accounts = append(cfg.Accounts, genesis.Alloc{Address: addr(leaderNo + n), Amount: 100 * fixed.OPEN})
		}
		s.c = startChain(t, cfg)
	}
	for n, name := range cast {
		s.ids[name] = addr(n).String()
		s.names[ID(addr(n))] = name
	}
	for n := range max(2, founders) {
		name := fmt.Sprintf("val%d", n)
		s.names[ID(addr(leaderNo+n))], s.ids[name] = name, addr(leaderNo+n).String()
	}
	for _, m := range state.Modules {
		s.names[ID(m.Address)] = m.Name
	}
	terms := genesis.CCBY4()
	s.name("ccby", terms.ID())
	return s
}

func (s *story) name(name string, id ID) {
	s.ids[name] = id.String()
	s.names[id] = name
}

func rootOf(text string) ID { return sha256.Sum256([]byte("root:" + text)) }

func TestStories(t *testing.T) {
	datadriven.Walk(t, "testdata/story", func(t *testing.T, path string) {
		s := newStory(t, founders[filepath.Base(path)])
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			s.c.t = t
			switch d.Cmd {
			case "block":
				return s.block(d)
			case "wait":
				return s.wait(d)
			case "balance":
				return s.balance(d)
			case "task":
				return s.task(d)
			case "set":
				return s.set()
			case "offence":
				return s.offence(d)
			case "pool":
				return s.pool(d)
			}
			d.Fatalf(t, "unknown command %q", d.Cmd)
			return ""
		})
	})
}

func (s *story) block(d *datadriven.TestData) string {
	after := uint64(tickMS)
	if d.HasArg("after") {
		d.ScanArgs(s.c.t.(*testing.T), "after", &after)
	}
	var txs []tx.Verified
	for _, line := range strings.Split(strings.TrimSpace(d.Input), "\n") {
		if line != "" {
			txs = append(txs, s.parse(line))
		}
	}
	return s.trace(s.c.blockAfter(after, txs...))
}

func (s *story) wait(d *datadriven.TestData) string {
	var ms uint64
	d.ScanArgs(s.c.t.(*testing.T), "ms", &ms)
	var out strings.Builder
	for until := s.c.clock().CTimeMS + ms; s.c.clock().CTimeMS < until; {
		res := s.c.block()
		if len(res.Receipts) > 0 {
			out.WriteString(s.trace(res))
		}
	}
	fmt.Fprintf(&out, "now +%d ms, epoch +%d\n", s.c.clock().CTimeMS-startMS, s.c.clock().Epoch)
	return out.String()
}

func (s *story) balance(d *datadriven.TestData) string {
	var out strings.Builder
	for _, a := range d.CmdArgs {
		fmt.Fprintf(&out, "%s %v\n", a.Key, s.c.free(s.who(a.Key)))
	}
	return out.String()
}

func (s *story) who(name string) keys.Address {
	for id, n := range s.names {
		if n == name {
			return keys.Address(id)
		}
	}
	s.c.t.Fatalf("nobody is called %q", name)
	return keys.Address{}
}

func (s *story) task(d *datadriven.TestData) string {
	t, err := state.GetTask(s.c.view, ID(s.who(d.CmdArgs[0].Key)))
	if err != nil {
		return err.Error() + "\n"
	}
	out := fmt.Sprintf("%v attempt=%d", t.State, t.Attempt)
	if t.DueMS != 0 {
		out += fmt.Sprintf(" until=+%d", t.DueMS-startMS)
	}
	for _, c := range t.Checkers {
		out += fmt.Sprintf("\nchecker %s committed=%v revealed=%v", s.names[ID(c.Account)], c.Hash != nil, c.Verdict != nil)
	}
	return out + "\n"
}

// trace prints receipts and events with names instead of ids.
func (s *story) trace(res Result) string {
	var out strings.Builder
	for _, r := range res.Receipts {
		if r.System() {
			out.WriteString("system\n")
		} else {
			fmt.Fprintf(&out, "%s\n", r.Code.String())
		}
		for _, e := range r.Events {
			fmt.Fprintf(&out, "  %s%s%s\n", e.Name(), s.idList(e.IDs), s.amounts(e))
		}
	}
	if out.Len() == 0 {
		return "no transactions\n"
	}
	return out.String()
}

func (s *story) idList(ids []ID) string {
	var out []string
	for _, id := range ids {
		n := s.names[id]
		if n == "" {
			n = id.String()[:10]
		}
		out = append(out, n)
	}
	return " " + strings.Join(out, " ")
}

func (s *story) amounts(e ledger.Event) string {
	out := ""
	for _, a := range e.Amounts {
		switch {
		case a >= startMS:
			out += fmt.Sprintf(" +%d", a-startMS)
		case a >= startMS/10_000 && a < startMS/10_000+1_000:
			out += fmt.Sprintf(" epoch+%d", a-startMS/10_000)
		default:
			out += fmt.Sprintf(" %d", a)
		}
	}
	return out
}

// parse makes the transaction of a line.
func (s *story) parse(line string) tx.Verified {
	t := s.c.t
	words := fields(line)
	if len(words) < 2 {
		t.Fatalf("line %q", line)
	}
	who := s.number(words[0])
	kind, err := tx.ParseKind(words[1])
	if err != nil {
		t.Fatal(err)
	}
	args := map[string]string{}
	for _, w := range words[2:] {
		k, v, ok := strings.Cut(w, "=")
		if !ok {
			t.Fatalf("argument %q", w)
		}
		args[k] = v
	}
	as := args["as"]
	delete(args, "as")
	tip, err := strconv.ParseUint("0"+args["tip"], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	delete(args, "tip")
	most := s.c.fee
	if arg, ok := args["max"]; ok { // of the fee, in nOPEN
		n, err := strconv.ParseUint(arg, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		s.c.fee = fixed.Amount(n)
		delete(args, "max")
	}
	s.verdict(kind, words[0], args)
	obj := map[string]json.RawMessage{}
	for k, v := range args {
		obj[k] = json.RawMessage(s.value(v))
	}
	var p tx.Payload
	if kind == tx.KindValidatorRegister {
		p = s.register(who, args)
	} else if text, err := json.Marshal(obj); err != nil {
		t.Fatalf("%q: %v", line, err)
	} else if p, err = tx.ParsePayload(kind, text); err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	s.c.tip = tip
	v := s.c.sign(who, p)
	s.c.tip, s.c.fee = 0, most
	if as != "" {
		s.name(as, tx.ObjectID(v.ID(), kind, 0))
	}
	return v
}

// number is the person behind a name.
func (s *story) number(name string) int {
	if n, ok := strings.CutPrefix(name, "val"); ok {
		i, err := strconv.Atoi(n)
		if err != nil {
			s.c.t.Fatal(err)
		}
		return leaderNo + i
	}
	return sort.SearchStrings(cast, name)
}

// offence sends evidence against founders.
func (s *story) offence(d *datadriven.TestData) string {
	t := s.c.t.(*testing.T)
	var by, class string
	var epoch, view uint64
	d.ScanArgs(t, "by", &by)
	d.ScanArgs(t, "class", &class)
	d.ScanArgs(t, "epoch", &epoch)
	d.ScanArgs(t, "view", &view)
	var guilty []int
	for _, a := range d.CmdArgs {
		if a.Key == "of" {
			for _, v := range a.Vals {
				guilty = append(guilty, s.number(v))
			}
		}
	}
	raw := offence(s.c, epoch, view, class == "jail", guilty...)
	return s.trace(s.c.block(s.c.sign(s.number(by), &tx.SlashEvidence{Evidence: raw})))
}

// register makes the payload of a new validator.
func (s *story) register(who int, args map[string]string) tx.Payload {
	n, err1 := strconv.Atoi(args["keys"])
	commission, err2 := strconv.ParseUint(args["commission"], 10, 64)
	bond, err3 := strconv.ParseUint(strings.Trim(s.value(args["self_bond"]), `"`), 10, 64)
	if err := errors.Join(err1, err2, err3); err != nil {
		s.c.t.Fatal(err)
	}
	p := tx.NewValidatorRegister(s.c.env.ChainID, addr(who), key(n), commission, fixed.Amount(bond))
	if args["proof"] != "" {
		p.VoteProof = key(n).Sign(p.RegisterBytes(s.c.env.ChainID, addr(who+1)))
	}
	if args["possession"] != "" {
		p.Possession = bls.Derive(key(n + 1)).ProvePossession()
	}
	s.names[ID(p.VoteKey)] = fmt.Sprintf("key%d", n)
	return p
}

func (s *story) set() string {
	list, err := state.GetValidators(s.c.view)
	if err != nil {
		return err.Error() + "\n"
	}
	out := fmt.Sprintf("epoch %d\n", s.c.clock().Epoch)
	for _, v := range list {
		out += fmt.Sprintf("%s %d\n", s.names[ID(v.Address)], v.Power)
	}
	return out
}

func (s *story) pool(d *datadriven.TestData) string {
	v := s.who(d.CmdArgs[0].Key)
	c, err := state.GetCandidate(s.c.view, v)
	if err != nil {
		return err.Error() + "\n"
	}
	out := fmt.Sprintf("tokens=%d shares=%d self=%d held=%d owed=%d jailed_to=%d removed=%v\n", uint64(c.Tokens), c.Shares, c.SelfShares, uint64(c.Held), uint64(c.Owed), c.JailedTo, c.Removed)
	list, err := state.ListDelegations(s.c.view, v, nil, 100)
	if err != nil {
		return err.Error() + "\n"
	}
	for _, e := range list {
		out += fmt.Sprintf("%s shares=%d locked=%d\n", s.names[e.ID], e.Value.Shares, e.Value.Locked)
	}
	return out
}

// verdict replaces says= by the fields of the two check kinds.
func (s *story) verdict(kind tx.Kind, who string, args map[string]string) {
	says, ok := args["says"]
	if !ok {
		return
	}
	delete(args, "says")
	a, b, _ := strings.Cut(says, "/")
	if kind == tx.KindCheckReveal {
		args["root"], args["output_root"], args["salt"] = "root("+a+")", "root("+b+")", "root("+args["salt"]+")"
		return
	}
	var task ID
	if err := task.UnmarshalText([]byte(s.ids[args["task"]])); err != nil {
		s.c.t.Fatal(err)
	}
	h := tx.CheckHash(task, s.who(who), rootOf(a), rootOf(b), rootOf(args["salt"]))
	delete(args, "salt")
	args["hash"] = strconv.Quote(h.String())
}

// value turns a word into JSON.
func (s *story) value(w string) string {
	inner := func() string { return w[strings.IndexByte(w, '(')+1 : len(w)-1] }
	switch {
	case strings.HasPrefix(w, "{") || strings.HasPrefix(w, `"`):
		return w
	case strings.HasPrefix(w, "["):
		var ids []string
		for _, e := range strings.Split(strings.Trim(w, "[]"), ",") {
			ids = append(ids, s.value(e))
		}
		sort.Strings(ids) // sets are ascending; hex sorts as bytes
		return "[" + strings.Join(ids, ",") + "]"
	case strings.HasPrefix(w, "root("), strings.HasPrefix(w, "salt("):
		s.names[rootOf(inner())] = "root(" + inner() + ")"
		return strconv.Quote(rootOf(inner()).String())
	case strings.HasPrefix(w, "blake3("):
		return strconv.Quote(content.Sum([]byte(inner())).String())
	case strings.HasPrefix(w, "sha256("):
		return strconv.Quote(content.SumSHA256([]byte(inner())).String())
	case strings.HasSuffix(w, "OPEN"):
		a, err := fixed.ParseAmount(w)
		if err != nil {
			s.c.t.Fatal(err)
		}
		return strconv.Quote(strconv.FormatUint(uint64(a), 10))
	case strings.HasPrefix(w, "+"):
		n, err := strconv.ParseUint(w[1:], 10, 64)
		if err != nil {
			s.c.t.Fatal(err)
		}
		return strconv.FormatUint(startMS+n, 10)
	}
	if id, ok := s.ids[w]; ok {
		return strconv.Quote(id)
	}
	return w
}

// fields splits at spaces outside quotes and braces.
func fields(line string) []string {
	var out []string
	depth, quoted, cur := 0, false, ""
	for _, r := range line {
		switch {
		case r == '"':
			quoted = !quoted
		case r == '{':
			depth++
		case r == '}':
			depth--
		}
		if r == ' ' && !quoted && depth == 0 {
			if cur != "" {
				out = append(out, cur)
			}
			cur = ""
			continue
		}
		cur += string(r)
	}
	if cur != "" {
		out = append(out, cur)
	}
	return out
}
