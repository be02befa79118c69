// SPDX-License-Identifier: Apache-2.0

package coretest

import "github.com/openledger/openledger/consensus"

const (
	linkLook  = 250   // ms after which a node has noticed that a stream broke or came back
	linkStart = 1_000 // ms after its start in which a node takes all streams as open
	linkFalse = 2_000 // ms for which a stream of no fault may be broken
)

// relink lets every node look at its streams soon: somebody fell, came back, or
// was parted.
func (s *Sim) relink() {
	for _, n := range s.nodes {
		if n.core != nil {
			n.later(s.links.Below(linkLook), n.look)
		}
	}
}

// reachable reports whether there is a stream between two persons.
func (s *Sim) reachable(from, to int) bool {
	if s.group[from] != s.group[to] && !s.everywhere(from) && !s.everywhere(to) {
		return false
	}
	switch s.people[to].fault {
	case Silent:
		return false
	case Honest, Twin:
		for _, n := range s.nodes {
			if n.who == to && n.core != nil {
				return true
			}
		}
		return false
	}
	return true
}

// look tells the core which streams have changed; with Flaps, some break for no
// reason and come back.
func (n *Node) look() {
	if n.index < 0 {
		return
	}
	if settled := n.born + linkStart; n.s.now < settled {
		n.later(settled-n.s.now, n.look)
		return
	}
	for who := range n.s.people {
		i, up := n.ep.index(who), n.s.reachable(n.who, who)
		if i < 0 || who == n.who {
			continue
		}
		if up && n.s.Flaps && !n.s.healed && n.s.links.Below(16) == 0 {
			up = false
			n.later(n.s.links.Below(linkFalse), n.look)
		}
		if up != n.up[who] && n.core != nil {
			n.up[who] = up
			n.step(consensus.Link{Validator: i, Up: up})
		}
	}
}
