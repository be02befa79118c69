// SPDX-License-Identifier: Apache-2.0

package consensus_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/openledger/openledger/consensus"
	"github.com/openledger/openledger/consensus/coretest"
)

// TestStories plays the scripts of testdata on a network with 10 ms links.
// Commands:
//
//	network powers=(1,1,1,1) [faults=(honest,honest,honest,silent)] [observer]
//	        [epoch=MS] [joiners=N] [keys]
//	submit                      give every node a transaction
//	run ms=N | height=N         play on; print what was sent, or with brief only
//	                            starts, crashes, syncs, decisions and evidence
//	crash node=I                loses memory and what was not synced
//	split groups=(0,0,1,1)      part the validators; join ends it
//	heights                     of all nodes
func TestStories(t *testing.T) {
	datadriven.Walk(t, "testdata/stories", func(t *testing.T, path string) {
		p := &player{}
		datadriven.RunTest(t, path, p.play)
	})
}

var faults = []string{"honest", "silent", "twin", "equivocate", "unjustify", "badroot", "flood", "withhold", "collude", "badshare"}

type player struct {
	sim   *coretest.Sim
	lines []string
}

func (p *player) play(t *testing.T, d *datadriven.TestData) string {
	p.lines = nil
	switch d.Cmd {
	case "network":
		p.network(t, d)
	case "submit":
		p.sim.Submit()
	case "run":
		return p.run(t, d)
	case "crash":
		var i int
		d.ScanArgs(t, "node", &i)
		p.sim.Nodes()[i].Crash()
	case "split":
		p.sim.Split(numbers(t, d, "groups"))
	case "join":
		p.sim.Split(make([]int, 16))
	case "heights":
		return fmt.Sprintln(p.sim.Heights())
	default:
		t.Fatalf("%s: unknown command %s", d.Pos, d.Cmd)
	}
	return "ok"
}

func (p *player) network(t *testing.T, d *datadriven.TestData) {
	prof := coretest.Profile{DelayMin: 10, DelayMax: 1, ExecMax: 1, HealAt: 1 << 40, Params: consensus.LocalParams(), Observer: d.HasArg("observer")}
	for _, w := range numbers(t, d, "powers") {
		prof.Powers = append(prof.Powers, uint64(w))
	}
	prof.Faults = make([]coretest.Fault, len(prof.Powers))
	if d.HasArg("epoch") {
		d.ScanArgs(t, "epoch", &prof.Params.EpochMS)
	}
	if d.HasArg("joiners") {
		d.ScanArgs(t, "joiners", &prof.Joiners)
	}
	prof.Keys = d.HasArg("keys")
	for _, arg := range d.CmdArgs {
		if arg.Key == "faults" {
			for i, name := range arg.Vals {
				prof.Faults[i] = coretest.Fault(slices.Index(faults, name))
			}
		}
	}
	p.sim = coretest.New(prof, 7)
	p.sim.Trace = func(line string) { p.lines = append(p.lines, line) }
}

func (p *player) run(t *testing.T, d *datadriven.TestData) string {
	end, goal := p.sim.Now()+60_000, uint64(0)
	if d.HasArg("ms") {
		var ms uint64
		d.ScanArgs(t, "ms", &ms)
		end = p.sim.Now() + ms
	} else {
		d.ScanArgs(t, "height", &goal)
	}
	err := p.sim.Until(end, func() bool {
		for _, h := range p.sim.Heights() {
			if goal == 0 || h < goal {
				return false
			}
		}
		return true
	})
	if err != nil {
		t.Fatalf("%s: %v", d.Pos, err)
	}
	out := ""
	for _, l := range p.lines {
		if !d.HasArg("brief") || strings.Contains(l, "decides") || strings.Contains(l, "evidence") || strings.Contains(l, ": node") || strings.Contains(l, "syncs") || strings.Contains(l, "enters epoch") {
			out += l + "\n"
		}
	}
	if out == "" {
		return "nothing"
	}
	return out
}

func numbers(t *testing.T, d *datadriven.TestData, key string) (out []int) {
	for _, arg := range d.CmdArgs {
		if arg.Key != key {
			continue
		}
		for _, v := range arg.Vals {
			n, err := strconv.Atoi(v)
			if err != nil {
				t.Fatalf("%s: %v", d.Pos, err)
			}
			out = append(out, n)
		}
	}
	return out
}
