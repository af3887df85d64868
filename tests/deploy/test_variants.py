"""What parameters change."""

from __future__ import annotations

from tests.deploy.account import deploy, task_definition
from tests.emulators.aws import running_aws


def test_also_locked_and_with_a_ledger_elsewhere() -> None:
    with running_aws() as aws:
        elsewhere = aws.client("secretsmanager").create_secret(
            Name="ledger", SecretString="postgresql://reader@ledger.example/books"
        )["ARN"]
        stack = deploy(aws.client, LedgerUrlSecretArn=elsewhere, LockDays="30")
        lock = aws.client("s3").get_object_lock_configuration(Bucket=stack.ref("DocumentBucket"))
        definition = task_definition(aws.client, stack, "RunTask")
    retention = lock["ObjectLockConfiguration"]["Rule"]["DefaultRetention"]
    assert (retention["Mode"], retention["Days"]) == ("GOVERNANCE", 30)
    assert "LedgerReplica" not in stack.resources
    assert {"ServicesToLedger", "RunsToLedger"} <= stack.resources.keys()
    assert {"name": "REPORTS_LEDGER_URL", "valueFrom": elsewhere} in definition["secrets"]
