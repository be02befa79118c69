// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/openledger/openledger/rpc/api"
)

func newValidatorResumeCmd(a *app) *cobra.Command {
	var checked bool
	cmd := &cobra.Command{
		Use: "resume", Short: "Let a validator go on that lost the record of its votes and whom no quorum can tell what it signed", Args: cobra.NoArgs,
		Long: "A validator whose write-ahead log or guard is lost does not vote until others with a quorum of power have said how far they are. Where\n" +
			"they cannot, because it is the only validator or too many lost their logs at once, the network stands still and waits for the\n" +
			"operators. Without a flag this command shows how the validator of the running node stands, what its guard knows, and who answers.\n\n" +
			"With --i-checked-no-other-signer it gives the operator's word: the validator then signs Nullify, and nothing else, of the views that\n" +
			"may hold a forgotten vote, above the highest one that is known to be certified. When enough operators have done so the network\n" +
			"gets past those views and everything is as before.\n\n" +
			"What it risks: if this key had finalized one of those views and everybody else who knew has lost it too, the Nullify contradicts that\n" +
			"vote. It can be punished as one by whoever kept it, and a block that somebody saw as final can be replaced. So first make sure that no\n" +
			"other process or copy of this home signs with the key, look for the lost log and for a validator or follower that has newer blocks,\n" +
			"and talk to the other operators. The node refuses while a quorum answers or the chain moves.",
		Example: "  openledger validator resume\n  openledger validator resume --output json\n  openledger validator resume --i-checked-no-other-signer",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.call(cmd, func(ctx context.Context) error {
				s, err := a.client().AdminResume(ctx, api.ResumeParams{Checked: checked})
				if err != nil {
					return err
				}
				return a.print(cmd, s, func(w io.Writer) { printResume(w, s) })
			})
		},
	}
	cmd.Flags().BoolVar(&checked, "i-checked-no-other-signer", false, "give the word: nothing else signs with this key")
	return cmd
}

func printResume(w io.Writer, s api.Resume) {
	fmt.Fprintf(w, "%s\n\nepoch %d: certified up to view %d as far as anybody says", s.Reason, s.Epoch, s.Certified)
	if s.SignedUpTo > 0 {
		fmt.Fprintf(w, "; nothing was signed after view %d", s.SignedUpTo)
	}
	if s.Bound > 0 {
		fmt.Fprintf(w, "; nothing is signed up to view %d", s.Bound)
	}
	if s.NullifyFrom > 0 {
		fmt.Fprintf(w, " but Nullify from view %d on", s.NullifyFrom)
	}
	fmt.Fprintf(w, "\nanswered (power %d, quorum %d): %s\nsilent: %s\nnewest final block: %d s ago\n\n",
		s.Power, s.Quorum, listed(s.Answered), listed(s.Silent), s.IdleMS/1000)
	switch {
	case s.Given:
		fmt.Fprintln(w, "The validator has your word and goes on; see openledger status.")
	case s.Refusal != "":
		fmt.Fprintf(w, "Nothing to do now: %s.\n", s.Refusal)
	default:
		fmt.Fprintln(w, "If no other process signs with this key: openledger validator resume --i-checked-no-other-signer (read --help first).")
	}
}

func listed(names []string) string {
	if len(names) == 0 {
		return "nobody"
	}
	return strings.Join(names, ", ")
}
