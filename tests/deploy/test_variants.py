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
    assert {"CodeToLedger", "RunsToLedger"} <= stack.resources.keys()
    assert {"name": "REPORTS_LEDGER_URL", "valueFrom": elsewhere} in definition["secrets"]


def test_of_a_snapshot_and_not_protected() -> None:
    with running_aws() as aws:
        rds = aws.client("rds")
        rds.create_db_instance(
            DBInstanceIdentifier="earlier",
            DBInstanceClass="db.m6g.large",
            Engine="postgres",
            AllocatedStorage=100,
            MasterUsername="administrator",
            MasterUserPassword="of-its-time",
        )
        rds.create_db_snapshot(DBSnapshotIdentifier="kept", DBInstanceIdentifier="earlier")
        stack = deploy(aws.client, DatabaseSnapshot="kept", Protect="false")
        [database] = rds.describe_db_instances(DBInstanceIdentifier=stack.ref("Database"))[
            "DBInstances"
        ]
        protected = [
            attribute["Value"]
            for balancer in ("OperatorBalancer", "LinkBalancer")
            for attribute in aws.client("elbv2").describe_load_balancer_attributes(
                LoadBalancerArn=stack.ref(balancer)
            )["Attributes"]
            if attribute["Key"] == "deletion_protection.enabled"
        ]
    assert database["DBInstanceIdentifier"] == "reports-prod"
    assert database["MasterUsername"] == "administrator"
    assert database["BackupRetentionPeriod"] == 35
    assert database["DeletionProtection"] is False
    assert protected == ["false", "false"]
