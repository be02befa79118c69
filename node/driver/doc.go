// SPDX-License-Identifier: Apache-2.0

// Package driver carries out what the consensus core decides: it feeds verified
// messages, timers and answers into one Core from one goroutine, and acts on
// each output in the order that CONS-04 demands: relay, append, sync, send,
// timer, requests, decisions. Blocks run on a second goroutine, beside the
// voting.
//
// It decides nothing about views, votes or money.
//
//	d, err := driver.New(driver.Config{…})
//	err = d.Run(ctx) // until ctx ends or the node must stop
//
// Clauses: CONS-04, CONS-05, CONS-26, CONS-27, CONS-29, CONS-43, CONS-44.
package driver
