{{- /* The registered items that have no tombstone, each with the rule by which it is due
       (its number in sinks.TrainingRules, 0 for none), the event from which the rule's
       window runs, and as of when it was marked.

       Consent: of the decisions that apply to an item the latest counts, its own at the
       upload among them; of simultaneous ones a withdrawal. Purposes: the item is needed
       until the last of them is complete, for itself or as a whole; one that serves none
       is not needed from the start. What is said again counts from when it was said first, or first
       since the item was restored. A mark holds as long as the item has been due ever
       since, and until it is restored; what has happened before that counts no more where
       the rule can be restored.

       A registration that a later one of its object has superseded is among them where the
       consent that it rests on is gone, and the later one's is not: what was uploaded then is
       due, and what was uploaded since is not. */ -}}
WITH
    toDateTime64(0, 3, 'UTC') AS never,
    (
        SELECT (groupArray(purpose), groupArray(completions))
        FROM (
            SELECT
                toString(purpose) AS purpose,
                maxIf(at, kind = 'training_purpose_opened') AS opened_at,
                arrayFilter(t -> t >= opened_at, groupArrayIf(at, kind = 'training_purpose_completed')) AS completions
            FROM {{name .Control "training"}}
            WHERE kind IN ('training_purpose_completed', 'training_purpose_opened') AND object_key = '' AND at <= {now:DateTime64(3, 'UTC')}
            GROUP BY purpose
            HAVING notEmpty(completions)
        )
    ) AS complete
SELECT
    *,
    arrayMap(p -> arrayConcat(complete.2[indexOf(complete.1, p)], own.2[indexOf(own.1, p)]), serves) AS completions,
    toDateTime64('2299-12-31 23:59:59.999', 3, 'UTC') AS latest_time,
    if(empty(serves), uploaded_at, arrayMax(arrayMap(
        times -> multiIf(empty(times), latest_time, arrayMax(times) > restored_at, arrayMin(arrayFilter(t -> t > restored_at, times)), arrayMax(times)), completions
    ))) AS completed_at,
    greatest(uploaded_at, restored_at) AS kept_since,
    erased_at > never AND erased_at <= {{.Before "erasure"}} AS by_erasure,
    last.2 AND last.1 <= {{.Before "consent_withdrawn"}} AS by_withdrawal,
    superseded_by = '' AS current,
    {{with .Children}}current AND isNotNull(age) AND age < {{.Under}} AND NOT (consented AND consent_by = 'guardian' OR by_guardian OR age > {{.OwnConsentOver}} AND (consented AND consent_by = 'self' OR by_self)){{else}}0{{end}} AND uploaded_at <= {{.Before "child_unconfirmed"}} AS by_child,
    current AND NOT (consented OR granted) AND uploaded_at <= {{.Before "consent_absent"}} AS by_absence,
    current AND completed_at < latest_time AND completed_at <= {{.Before "purpose_completed"}} AND completed_at > restored_at AS by_completion,
    current AND kept_since <= {{.Before "uploaded"}} AS by_age,
    multiIf(by_erasure, 1, by_withdrawal, 2, by_child, 3, by_absence, 4, by_completion, 5, by_age, 6, 0) AS rule,
    multiIf(by_erasure, erased_at, by_withdrawal, last.1, by_child OR by_absence, uploaded_at, by_completion, completed_at, kept_since) AS since,
    least(
        if(by_erasure, erased_at, latest_time), if(by_withdrawal, last.1, latest_time), if(by_child OR by_absence, uploaded_at, latest_time),
        if(by_completion, completed_at, latest_time), if(by_age, kept_since, latest_time)
    ) AS first_since,
    if(rule = 0 OR empty(marks), never, arrayMin(arrayFilter(t -> t >= first_since AND t > restored_at, marks))) AS marked_at
FROM (
{{template "training_items.sql" .}}
) AS items
LEFT JOIN (
{{template "decided_items.sql" .}}
) AS decided USING (id)
LEFT JOIN (
    SELECT id, (groupArray(purpose), groupArray(completions)) AS own
    FROM (
        SELECT i.item AS id, toString(c.purpose) AS purpose, groupArray(c.at) AS completions
        FROM {{name .Control "training"}} AS i
        INNER JOIN (
            SELECT bucket, object_key, purpose, at
            FROM {{name .Control "training"}}
            WHERE kind = 'training_purpose_completed' AND object_key != '' AND at <= {now:DateTime64(3, 'UTC')}
        ) AS c USING (object_key)
        WHERE i.kind = 'training_item' AND c.bucket IN ('', i.bucket) AND c.at >= i.at
        GROUP BY id, purpose
    )
    GROUP BY id
) AS completed USING (id)
LEFT JOIN (
    SELECT item AS id, groupArrayIf(at, event = 'marked') AS marks, maxIf(at, event = 'restored') AS restored_at
    FROM {{name .Control "training_marks"}}
    WHERE at <= {now:DateTime64(3, 'UTC')}
    GROUP BY id
) AS marked USING (id)
WHERE id NOT IN (SELECT item FROM {{name .Control "tombstones"}})
  AND (current OR (by_erasure OR by_withdrawal) AND superseded_by NOT IN (
    SELECT id
    FROM (
{{template "decided_items.sql" .}}
    )
    WHERE erased_at > toDateTime64(0, 3, 'UTC') AND erased_at <= {{.Before "erasure"}} OR last.2 AND last.1 <= {{.Before "consent_withdrawn"}}
  ))
