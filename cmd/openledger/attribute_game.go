// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/openledger/openledger/poa/game"
	"github.com/openledger/openledger/poa/sampler"
)

type gameOptions struct {
	table, semivalue, sampler string
	budget, seed, epsilon     uint64
}

func newAttributeGameCmd() *cobra.Command {
	var o gameOptions
	c := &cobra.Command{
		Use:   "game --table game.json",
		Short: "Exact or sampled values of a game of up to 24 players",
		Long: `Values of the players of a cooperative game from the value of every coalition:
{"n": players, "v": [2^n values]}, the index of a coalition being its bitmask.
Exact by default; with --sampler an estimate with 95 % intervals from at most
--budget distinct coalitions.`,
		Example: "  openledger attribute game --table game.json --semivalue beta:4,1",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			sampled := cmd.Flags().Changed("sampler")
			for _, name := range []string{"budget", "seed", "epsilon-bps"} {
				if cmd.Flags().Changed(name) && !sampled {
					return usage("--%s needs --sampler", name)
				}
			}
			if sampled && !cmd.Flags().Changed("budget") {
				return usage("--sampler needs --budget, the number of coalitions to evaluate")
			}
			return runAttributeGame(o, sampled, cmd.OutOrStdout())
		},
	}
	f := c.Flags()
	f.StringVar(&o.table, "table", "", "JSON file of the game")
	f.StringVar(&o.semivalue, "semivalue", "", "also print beta:a,b, whole numbers from 1 to 64")
	f.StringVar(&o.sampler, "sampler", "", "cyclicrev, antithetic or complementary")
	f.Uint64Var(&o.budget, "budget", 0, "distinct coalitions the sampler may evaluate")
	f.Uint64Var(&o.seed, "seed", 1, "seed of the sampler")
	f.Uint64Var(&o.epsilon, "epsilon-bps", sampler.Epsilon, "stop when every half width is below this part of v(N) - v(0), in 1/10000")
	return c
}

// runAttributeGame is the command without its flags. Spec: OFF-01, GAM-01, SMP-01..05.
func runAttributeGame(o gameOptions, sampled bool, out io.Writer) error {
	if sampled && o.semivalue != "" {
		return usage("--semivalue is exact; leave out --sampler")
	}
	a, b, err := parseSemivalue(o.semivalue)
	if err != nil {
		return err
	}
	text, err := readOffline("table", o.table)
	if err != nil {
		return err
	}
	t, err := game.Parse(text)
	if err != nil {
		return inFile(o.table, err)
	}
	var j jsonLine
	if sampled {
		err = sampleGame(&j, t, o)
	} else {
		s := t.Strata()
		j.rats("shapley", s.Shapley())
		j.rats("banzhaf", s.Banzhaf())
		j.rats("loo", t.LeaveOneOut())
		if o.semivalue != "" {
			x, err := s.Beta(a, b)
			if err != nil {
				return usage("--semivalue %q: %v", o.semivalue, err)
			}
			j.rats("semivalue", x)
		}
	}
	if err != nil {
		return err
	}
	return j.writeTo(out)
}

func sampleGame(j *jsonLine, t *game.Table, o gameOptions) error {
	e, err := sampler.Run(t.Players(), t.Value, sampler.Params{
		Kind: sampler.Kind(o.sampler), Budget: o.budget, Seed: o.seed, EpsilonBps: o.epsilon,
	})
	if err != nil {
		return usage("--sampler: %v", err)
	}
	scale := t.Scale()
	for i := range e.Values { // values are over the power of ten of the file
		e.Values[i].Quo(e.Values[i], ratOf(scale))
		if e.HalfWidths[i] != nil {
			e.HalfWidths[i].Quo(e.HalfWidths[i], ratOf(scale))
		}
	}
	j.rats("estimate", e.Values)
	j.rats("half_width", e.HalfWidths)
	j.raw("bases", strconv.Itoa(e.Bases))
	j.raw("evaluations", strconv.FormatUint(e.Evaluations, 10))
	j.raw("converged", strconv.FormatBool(e.Converged))
	return nil
}

// parseSemivalue reads beta:a,b; an empty text is 0, 0.
func parseSemivalue(text string) (a, b int, err error) {
	if text == "" {
		return 0, 0, nil
	}
	first, second, ok := strings.Cut(strings.TrimPrefix(text, "beta:"), ",")
	a, errA := strconv.Atoi(first)
	b, errB := strconv.Atoi(second)
	if !strings.HasPrefix(text, "beta:") || !ok || errA != nil || errB != nil ||
		a < 1 || b < 1 || a > game.MaxBeta || b > game.MaxBeta {
		return 0, 0, usage("--semivalue %q: use beta:a,b with whole numbers from 1 to %d", text, game.MaxBeta)
	}
	return a, b, nil
}
