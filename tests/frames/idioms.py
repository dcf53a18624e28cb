"""What analysts do with a frame, as code that is shown in docs/using-the-frames.md and run on frames of all kinds."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Final

PAGE: Final = Path(__file__).resolve().parents[2] / "docs" / "using-the-frames.md"
_GENERATED: Final = re.compile(r"(<!-- idioms:[^>]*-->\n).*?(<!-- end of idioms -->)", re.DOTALL)

# The columns that stand for their kind, by resource; an idiom is run on the resources that have all it uses.
COLUMNS: Final = {
    "products": {"key": "id", "text": "status", "number": "public_price", "time": "created_at", "list": "brands"},
    "brands": {"key": "id", "text": "name", "time": "created_at"},
    "media": {"key": "id", "text": "type", "time": "created_at", "list": "organizations"},
    "titles": {"key": "id", "text": "title_type", "number": "episode_number", "list": "images"},
    "schedulings": {"key": "id", "text": "costed_run", "time": "begins_at"},
    "schedule": {"key": "line", "text": "payment_type", "number": "amount_cents", "time": "payment_date"},
}


@dataclass(frozen=True)
class Idiom:
    """
    One line of everyday pandas.

    Attributes:
        title: What it does, for the page.
        code: Statements, the last one an expression; `$key`, `$text`, `$number`, `$time` and `$list` are columns.
        check: An expression that is true of `result`.
        needs: "any", or the value of `nested=` without which it fails.
        note: What pandas itself cannot do, and what to write instead.
    """

    title: str
    code: str
    check: str
    needs: str = "any"
    note: str = ""

    def fits(self, resource: str) -> bool:
        """Whether the resource has all columns that the idiom uses."""
        return {*re.findall(r"\$(\w+)", self.code + self.check)} - {"bare"} <= COLUMNS[resource].keys()

    def code_for(self, resource: str) -> str:
        """The code with the columns of a resource."""
        return _filled(self.code, resource)

    def check_for(self, resource: str) -> str:
        """The check with the columns of a resource."""
        return _filled(self.check, resource)


def _filled(code: str, resource: str) -> str:
    columns = COLUMNS[resource]
    return Template(code).substitute({kind: f'"{name}"' for kind, name in columns.items()}, bare=columns["text"])


def page_with_idioms() -> str:
    """The page with a row per idiom as they are now."""
    rows = ["| to | write | `nested=` | what to watch out for |", "|---|---|---|---|"]
    for one in IDIOMS:
        lines = one.code_for("products").replace("|", "\\|").split("\n")
        code = "<br>".join(f"`{line}`" for line in lines)
        needs = "any" if one.needs == "any" else f'`"{one.needs}"`'
        rows.append(f"| {one.title} | {code} | {needs} | {one.note} |")
    text = "\n".join(rows)
    return _GENERATED.sub(lambda m: f"{m[1]}\n{text}\n\n{m[2]}", PAGE.read_text(encoding="utf-8"))


_NULLS = "An `Int64` column refuses fractions; `Float64` accepts them and keeps nulls."
_ZONE = "A timestamp of your own needs the same zone; a string does not."
IDIOMS: Final = (
    # To look at it
    Idiom(
        "Describe the numbers",
        "df.describe()",
        "result[$number]['count'] == df[$number].notna().sum()",
        note='In a frame without numbers, all columns are described, which fails for lists: use `nested="json"`.',
    ),
    Idiom("Describe the times", "df.describe(include=['datetime', 'datetimetz'])", "result[$time]['count']"),
    Idiom("Describe all columns", "df.describe(include='all')", "result.shape[1] == df.shape[1]", "json"),
    Idiom("See dtypes and memory", "df.info(buf=buffer, memory_usage='deep')", "'Data columns' in buffer.getvalue()"),
    Idiom("See the first rows", "df.head()", "len(result) == min(len(df), 5) and repr(result) and result.to_html()"),
    Idiom("Count nulls", "df.isna().sum()", "result.max() <= len(df) and result.dtype == 'int64'"),
    Idiom("Count distinct values per column", "df.nunique()", "result[$key] == len(df)", "json"),
    Idiom("Count rows per value", "df[$text].value_counts()", "result.sum() == df[$text].notna().sum()"),
    Idiom(
        "Select columns by type",
        "df.select_dtypes(['number']), df.select_dtypes(['string']), df.select_dtypes(['datetime', 'datetimetz'])",
        "$text in result[1] and all(len(one) == len(df) for one in result)",
    ),
    Idiom("Get the maximum of each column", "df.max(numeric_only=True)", "$number in result.index"),
    Idiom("See whether it is complete", "df.head().attrs['vendorkit']['complete']", "result in (True, False)"),
    # To filter and sort
    Idiom("Compare times with a string", 'df[df[$time] > "2024-01-01"]', "len(result) <= len(df)", note=_ZONE),
    Idiom("Select a range of times", 'df[df[$time].between("2010-01-01", "2030-12-31")]', "len(result)"),
    Idiom("Select years by the index", 'df.set_index($time).sort_index().loc["2010":]', "len(result) <= len(df)"),
    Idiom("Filter by an expression", "df.query('$bare == $bare')", "len(result) == df[$text].notna().sum()"),
    Idiom("Search in text", "df[df[$text].str.contains('e', case=False, na=False)]", "len(result) <= len(df)"),
    Idiom("Select rows by id", "df[df[$key].isin(df[$key].head(2))]", "len(result) == 2"),
    Idiom("Sort", "df.sort_values([$text, $key])", "result[$text].dropna().is_monotonic_increasing"),
    Idiom("Get the rows with the largest values", "df.nlargest(3, $number)", "len(result) <= 3"),
    Idiom("Drop duplicate rows", "df.drop_duplicates()", "len(result) == len(df)", "json"),
    Idiom("Find duplicate ids", "df[df.duplicated($key)]", "len(result) == 0"),
    Idiom("Look up by the index", "df.set_index($key).loc[df[$key].iloc[0]]", "result[$text] == df[$text].iloc[0]"),
    # To calculate
    Idiom("Calculate with numbers", "df[$number] / 100", "result.dtype == 'Float64'"),
    Idiom("Compute a sum and a mean", "df[$number].sum(), df[$number].mean()", "result[0] >= 0"),
    Idiom("Apply NumPy", "np.log1p(df[$number])", "len(result) == len(df)"),
    Idiom("Keep all digits", "df[$number].max()", "int(result) == max(df[$number].dropna().tolist())"),
    Idiom(
        "Fill gaps with a mean",
        "df[$number].astype('Float64').fillna(df[$number].mean())",
        "result.notna().all() and fails(lambda: df[$number].fillna(12.5)) == df[$number].isna().any()",
        note=_NULLS,
    ),
    Idiom(
        "Set one value",
        "df[$number] = df[$number].astype('Float64')\ndf.loc[0, $number] = 12.5\ndf.loc[0, $number]",
        "result == 12.5",
        note=_NULLS,
    ),
    Idiom("Bin numbers", "pd.cut(df[$number], 3)", "result.notna().sum() == df[$number].notna().sum()"),
    Idiom("Bin numbers into quartiles", "pd.qcut(df[$number], 4, duplicates='drop')", "len(result) == len(df)"),
    Idiom("Convert to categories", "df[$text].astype('category')", "result.cat.categories.size == df[$text].nunique()"),
    Idiom("Replace values", "df[$text].replace({'active': 'on'})", "result.dtype == df[$text].dtype"),
    Idiom("Extract parts of a time", "df[$time].dt.year, df[$time].dt.date", "len(result[0]) == len(df)"),
    Idiom("Add a month", "df[$time] + pd.DateOffset(months=1)", "(result.dropna() > df[$time].dropna()).all()"),
    Idiom("Compute the time between rows", "df[$time].diff().dt.days", "len(result) == len(df)"),
    Idiom(
        "Compute the time until a moment",
        "pd.Timestamp('2026-01-31', tz=df[$time].dt.tz) - df[$time]",
        "result.dtype.kind == 'm'",
        note=_ZONE,
    ),
    Idiom(
        "Convert times to months",
        "df[$time].dt.tz_localize(None).dt.to_period('M')",
        "str(result.dtype) == 'period[M]'",
        note="A period has no zone; without `tz_localize`, pandas warns that it drops the zone.",
    ),
    Idiom("Let pandas choose dtypes", "df.convert_dtypes()", "result.shape == df.shape", "json"),
    # To group and join
    Idiom("Group and average", "df.groupby($text)[$number].mean()", "len(result) == df[$text].nunique()"),
    Idiom(
        "Aggregate several columns",
        "df.groupby($text).agg(rows=($key, 'size'), first=($time, 'min'))",
        "result['rows'].sum() == df[$text].notna().sum()",
    ),
    Idiom("Group by year", "df.groupby(df[$time].dt.year).size()", "result.sum() == df[$time].notna().sum()"),
    Idiom("Resample by month", "df.resample('MS', on=$time).size()", "result.sum() == df[$time].notna().sum()"),
    Idiom(
        "Pivot", "df.pivot_table(index=$text, values=$number, aggfunc='median')", "len(result) <= df[$text].nunique()"
    ),
    Idiom(
        "Cross-tabulate two columns", "pd.crosstab(df[$text], df[$time].dt.year)", "result.to_numpy().sum() <= len(df)"
    ),
    Idiom("Reshape to long form", "df.melt(id_vars=$key, value_vars=[$text])", "len(result) == len(df)"),
    Idiom(
        "Merge with another frame",
        "df.merge(df[[$key, $text]], on=$key, suffixes=('', '_again'))",
        "len(result) == len(df) and result[$text].equals(result[_again($text)])",
    ),
    Idiom(
        "Merge with a list of codes",
        "df.merge(pd.DataFrame({$key: df[$key].head(3), 'mine': [1, 2, 3]}), how='left', on=$key)",
        "result['mine'].notna().sum() == 3",
        note="Read codes as text: `pd.read_excel(path, dtype=str)`.",
    ),
    Idiom(
        "Merge with a calendar",
        "days = pd.DataFrame({'day': pd.date_range('2015-01-01', '2027-12-31', tz=df[$time].dt.tz).as_unit('us')})\n"
        "pd.merge_asof(df.dropna(subset=$time).sort_values($time), days, left_on=$time, right_on='day')",
        "result['day'].notna().all()",
        note="Both sides need the same time unit and zone.",
    ),
    Idiom("Concatenate frames", "pd.concat([df, df], ignore_index=True)", "result.dtypes.equals(df.dtypes)"),
    Idiom("Get one row per list element", "df.explode($list)", "len(result) >= len(df)", "list"),
    Idiom("Count the elements of a list", "df[$list].list.len()", "len(result) == len(df)", "list"),
    Idiom("Compare element by element", "(df == df).sum()", "(result == df.notna().sum())[$key]", "json"),
    Idiom("Compare two versions", "df.compare(df.copy())", "result.empty", "json"),
    # To other libraries and files
    Idiom(
        "CSV and back",
        "df.to_csv(folder / 'x.csv', index=False)\n"
        "times = list(df.select_dtypes(['datetime', 'datetimetz']))\n"
        "dtypes = {**df.dtypes, **dict.fromkeys(times, 'str')}\n"
        "again = pd.read_csv(folder / 'x.csv', dtype=dtypes, keep_default_na=False, na_values=[''])\n"
        "again.astype(df.dtypes)",
        "same(result, blank_is_null(df))",
        "json",
        "Without `dtype=`, codes lose leading zeros and a text such as NA becomes null. An empty text becomes null.",
    ),
    Idiom(
        "Parquet and back",
        "df.to_parquet(folder / 'x.parquet')\npd.read_parquet(folder / 'x.parquet')",
        "same(result, df) and result.attrs == df.attrs",
        "json",
        "`query.save()` keeps lists.",
    ),
    Idiom(
        "Excel and back",
        "zoned = df.select_dtypes('datetimetz').columns\n"
        "plain = df.assign(**{name: df[name].dt.tz_localize(None) for name in zoned})\n"
        "plain.to_excel(folder / 'x.xlsx', index=False)\n"
        "pd.read_excel(folder / 'x.xlsx', dtype={$key: df[$key].dtype})",
        "result[$key].equals(df[$key]) and list(result) == list(df)",
        "json",
        "Excel has no time zones, 15 digits per number, 32,767 characters per cell; see `vk.table(df).save`.",
    ),
    Idiom(
        "SQL and back",
        "df.to_sql('records', connection, index=False)\n"
        "pd.read_sql('select * from records', connection, dtype=df.dtypes.to_dict())",
        "same(result, df)",
        "json",
        "SQLite has neither times nor booleans; `dtype=` restores them.",
    ),
    Idiom("JSON", "df.to_json(orient='records', date_format='iso')", "len(json.loads(result)) == len(df)", "json"),
    Idiom("Python records", "df.to_dict('records')", "result[0][$key] == df[$key].iloc[0]"),
    Idiom("Pickle and back", "pickle.loads(pickle.dumps(df))", "same(result, df) and result.attrs == df.attrs"),
    Idiom("Arrow and back", "pa.Table.from_pandas(df).to_pandas()", "same(result, df)", "json"),
    Idiom("Polars", "pl.from_pandas(df)", "result.height == len(df) and result[$key].to_list() == df[$key].tolist()"),
    Idiom("DuckDB", 'duckdb.sql("select count(*), min(" + $key + ") from df").fetchall()', "result[0][0] == len(df)"),
    Idiom(
        "NumPy",
        "df[$number].to_numpy(dtype='float64', na_value=np.nan)",
        "result.dtype == 'float64'",
        note="Without `na_value`, a column with nulls becomes an array of objects.",
    ),
    Idiom(
        "scikit-learn",
        "numbers = df.select_dtypes('number').astype('float64').fillna(0)\n"
        "LinearRegression().fit(numbers, numbers[$number]).predict(numbers)",
        "len(result) == len(df)",
        note="Models take NaN, not NA: convert to `float64`.",
    ),
    Idiom("Plot numbers", "df[$number].plot.hist()", "result.patches"),
    Idiom("Plot counts", "df.groupby($text).size().plot.bar()", "len(result.patches) == df[$text].nunique()"),
    Idiom(
        "Plot over time",
        "dated = df.dropna(subset=$time).sort_values($time)\n"
        "dated.set_index(dated[$time].dt.tz_localize(None))[$key].notna().cumsum().plot()",
        "result.lines",
        note="pandas cannot plot zoned times with nulls.",
    ),
)


if __name__ == "__main__":
    PAGE.write_text(page_with_idioms(), encoding="utf-8")
