package diagnosis

import (
	"gradecockpit/probes/host"
	"gradecockpit/probes/logs"
)

// failureCauses are the playbook's (4.3) and those that only measuring showed.
// A lost transaction explains the missing event that goes with it.
func failureCauses() []failureCause {
	return []failureCause{
		{
			id: "finalize-disk-full", title: "The final PDF cannot be written: no space", section: "4.3",
			causes: []logs.Cause{logs.CauseSpace}, sure: Certain, silent: fullElsewhere,
			explains: []string{"disk-full"},
			says:     "The final PDF of %s could not be written because no space was left on the media volume.",
			mind:     "The volume has room by now, and a further try goes through.",
			harm:     "Do not retry before there is room: each try renders the PDF again and fails at its end.",
			advice: []string{
				compose + "exec backend df -h /app/media /tmp",
				compose + "exec backend du -xh --max-depth=2 /app/media | sort -h | tail",
			},
		},
		{
			id: "finalize-memory-error", title: "The PDF is too large for the memory", section: "4.3",
			causes: []logs.Cause{logs.CauseMemory, logs.CauseKilled}, sure: Certain,
			says: "Flattening the PDF of %s ran out of memory.",
			mind: "Another process took the memory at that time: then a further try goes through.",
			harm: "Do not retry over and over: each try may have the kernel kill a process that serves others.",
			advice: []string{
				compose + "stats --no-stream backend celery",
				"Raise the memory limit of the services backend and celery, or lower the resolution of the scan (the page count and DPI decide), then finalize once.",
			},
		},
		{
			id: "finalize-no-pages", title: "A copy has no pages to make a PDF of",
			causes: []logs.Cause{logs.CauseNoPages}, sure: Certain,
			says: "%s without pages: every finalization fails the same way.",
			mind: "Booklets with pages that are linked to the copy meanwhile.",
			harm: "Do not retry: it fails the same way every time. Where image files are missing but pages are listed, a retry leaves those pages out of the PDF and grades the copy.",
			advice: []string{
				"Link the copy's booklets again in the administration (Exams, Copies, Booklets), or have the scan uploaded again; its annotations stay with the copy.",
			},
		},
		{
			id: "finalize-idle-timeout", title: "PostgreSQL ended the transaction of a long finalization",
			causes: []logs.Cause{logs.CauseClosed}, sure: Certain, explains: []string{"rollback-events", "exception-before-event"},
			says: "The finalization of %s took over 60 s and PostgreSQL ended its idle transaction: nothing was recorded.",
			mind: "A restart of PostgreSQL or a cut connection ends it with the same words: its log tells.",
			harm: "Do not retry while rendering takes over 60 s: it is ended again. Do not switch the limit off: sessions that hang would hold rows for ever.",
			advice: []string{
				compose + "logs --since 1h db | grep idle-in-transaction",
				"In the application's settings: DATABASES['default']['OPTIONS'] = {'options': '-c idle_in_transaction_session_timeout=300000'}, then " + compose + "restart backend celery",
			},
		},
		{
			id: "missing-annotations", title: "Annotations vanished while the copy was finalized", section: "4.3",
			causes: []logs.Cause{logs.CauseVanished}, sure: Certain, explains: []string{"exception-before-event"},
			says: "Annotations of %s were deleted while it was finalized.",
			mind: "DELETE_ANN events of the teacher from that minute: then they were deleted on purpose.",
			harm: "Do not retry before the teacher has looked: the score would be that of the annotations that are left.",
			advice: []string{
				"Ask the corrector to open the copy and to compare it with the events: each CREATE_ANN without a DELETE_ANN is an annotation that must be there. A backup has the rest.",
			},
		},
		{
			id: "lock-token-mismatch", title: "A finalization came without the lock's token", section: "4.3",
			causes: []logs.Cause{logs.CauseToken}, sure: Certain, explains: []string{"lock-conflicts"},
			says: "The finalization of %s was refused because its token is missing or is not the lock's.",
			mind: "The teacher has finalized it in another window meanwhile.",
			harm: "Do not force-unlock a copy that somebody corrects in another window: their work since the last save is refused from then on.",
			advice: []string{
				"Ask the teacher to close all windows of this copy but one and to load that again: it takes the lock anew and gets its token. A task must be sent with user_id and lock_token of the lock.",
			},
		},
		{
			id: "finalize-pymupdf-error", title: "PyMuPDF fails at a copy", section: "4.3",
			causes: []logs.Cause{logs.CauseBroken}, sure: Certain,
			says:  "PyMuPDF failed at the PDF of %s.",
			mind:  "A further try that succeeds: then it was the load of that moment and not the document.",
			harm:  "Do not retry more than once: a document that is broken stays so.",
			retry: "It failed once; a passing failure is mended by one further try.",
			advice: []string{
				compose + `exec backend python -c "import fitz; print(fitz.open('/app/media/copies/source/copy_<id>.pdf').page_count)"`,
				"Where it fails again: have the pages scanned anew, and send the traceback to the development team.",
			},
		},
	}
}

// fullElsewhere: imports fail for want of space too, or this machine shows the
// full volume: then the rule about the disk tells all of it.
func fullElsewhere(in Input) bool {
	if _, ok := importsFailed(in, logs.CauseSpace); ok {
		return true
	}
	o, _ := current[host.Overview](in, host.ID)
	for _, v := range o.Volumes {
		if share, ok := v.Share(); ok && share >= fullShare && !alwaysFull(v) {
			return true
		}
	}
	return false
}
