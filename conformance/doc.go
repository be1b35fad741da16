// Package conformance is the black-box suite that an auditor runs against anyone's site: does its parent side follow
// docs/protocol.md? It must be able to judge somebody else's implementation, so it knows the messages (schema), the
// algorithms and certificates (crypto) and nothing of how this program's site works. What a ledger's chain and a checkpoint's
// signature are it has written out a second time from the specification (ledger.go), so that a mistake of the product is not
// its own as well.
//
// The suite registers as a child site of its own, under an identity certified for the audit, with the time of its
// beginning as epoch. The site it audits keeps, as it must, the copy of the auditor's ledger and a few Quarantine records
// addressed to the auditor; the one row that the auditor writes (its own Site record) it deletes when it goes. It writes no
// plant, no sample, no alarm. An identity whose id does not begin with "audit" is refused: run under the identity of a real
// child, the suite would end that child's epoch.
//
// docs/conformance.md says how to run it and lists the checks.
package conformance
